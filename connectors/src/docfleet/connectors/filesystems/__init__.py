"""File systems: sources of documents and destinations of output files."""
