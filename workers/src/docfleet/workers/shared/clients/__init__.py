"""HTTP clients of the backend's internal API and of the runner."""
