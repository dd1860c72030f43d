"""What the domains build on: database, dispatch, encryption, waiting, Redis."""
