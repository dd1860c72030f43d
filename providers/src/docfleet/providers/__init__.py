"""Providers of notifications: how a target is told what happened."""
