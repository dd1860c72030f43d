"""File systems that rclone speaks: a child process for each request."""
