"""Celery: the application, the base of every task, message intake, lost children, results."""
