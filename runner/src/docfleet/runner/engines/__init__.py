"""How a run is carried out: ``process`` forks a warm process for each run."""
