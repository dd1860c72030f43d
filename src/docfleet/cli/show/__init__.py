"""What people look at: progress, summary, logs."""
