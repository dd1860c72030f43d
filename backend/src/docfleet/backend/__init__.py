"""The backend: the HTTP service that owns the data."""
