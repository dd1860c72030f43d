"""Keys of callers: of one deployment, of one pipeline, of an organization."""
