"""Buckets of object stores as source and destination, by ``obstore``."""
