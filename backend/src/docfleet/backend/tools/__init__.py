"""Tool instances: the steps of a workflow."""
