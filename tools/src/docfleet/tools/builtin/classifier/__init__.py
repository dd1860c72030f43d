"""Sorts documents into bins by rules."""
