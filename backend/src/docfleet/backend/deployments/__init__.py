"""API deployments: a workflow published under a name, called with files."""
