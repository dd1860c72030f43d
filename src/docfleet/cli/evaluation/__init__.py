"""How good a workflow is: its results against labels."""
