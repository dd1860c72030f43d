"""Routes of the public API of deployments."""
