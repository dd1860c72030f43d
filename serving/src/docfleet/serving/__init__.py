"""How the backend and the runner listen: what a peer may take before it has shown a key, and for how long."""
