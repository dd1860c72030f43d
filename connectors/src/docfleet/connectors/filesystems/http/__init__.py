"""Files of web servers, by requests."""
