"""What all members share: wire types, names, statuses, errors, settings."""
