"""Extracts text from documents of many types, with OCR for images and scanned pages."""
