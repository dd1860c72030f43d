"""Usage of runs: tokens, cost and pages."""
