"""The ground of the domains: database, dispatch, encryption, waiting, Redis."""
