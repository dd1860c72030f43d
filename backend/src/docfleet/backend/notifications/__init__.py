"""Notifications: who is notified of what, and the outbox of events that are still to be sent."""
