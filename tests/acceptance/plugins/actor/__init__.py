"""A tool that does what the document tells it to: what the fleet has to survive."""
