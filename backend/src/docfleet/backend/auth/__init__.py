"""Who may call: one internal key, and the organization every call is for."""
