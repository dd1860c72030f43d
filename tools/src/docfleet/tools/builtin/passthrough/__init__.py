"""Hands the document on unchanged, with its size and digest."""
