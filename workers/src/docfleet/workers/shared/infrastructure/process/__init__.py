"""The life of a worker process: fork, beat, health, heartbeats, shutdown."""
