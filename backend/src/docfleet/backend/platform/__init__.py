"""What the domains stand on: database, dispatch, encryption, waiting."""
