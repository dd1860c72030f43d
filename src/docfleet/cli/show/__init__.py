"""Output for people: progress, summary, logs."""
