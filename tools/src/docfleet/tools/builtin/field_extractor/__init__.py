"""Extracts fields from text, by declarative templates and plain rules."""
