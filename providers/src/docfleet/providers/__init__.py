"""Providers of notifications: how a message reaches its target."""
