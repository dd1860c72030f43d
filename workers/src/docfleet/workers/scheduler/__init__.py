"""Worker type ``scheduler``: runs Celery beat and calls the backend periodically."""
