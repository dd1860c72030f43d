"""Databases: destinations of rows. Import the modules inside the task that writes; they load SQLAlchemy."""
