"""Routes of the management API, which people and the command line call."""
