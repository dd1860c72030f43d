"""What a call brings: read as a stream, kept on the execution's storage."""
