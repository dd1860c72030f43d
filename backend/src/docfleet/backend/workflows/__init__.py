"""Workflows: what is read, which tools run, where results go."""
