"""The process of a worker: configuration, Celery, logging, fork safety, health, shutdown."""
