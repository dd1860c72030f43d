"""The public API of deployments: a call from its upload to its answer, without HTTP."""
