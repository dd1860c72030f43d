"""Quotas: what an organization may use, and what it has used."""
