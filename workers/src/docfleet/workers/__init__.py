"""The workers: Celery processes that carry documents from a source through tools to a destination."""
