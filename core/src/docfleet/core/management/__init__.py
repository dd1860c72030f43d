"""Requests and answers of the management API, one definition for the backend and its callers.

The fields are the JSON keys. An answer carries every key; a field of type ``UnsetType`` is the exception and is left
out where it does not apply. Times are ISO 8601 in UTC.
"""

MAX_REQUEST_BYTES = 1024 * 1024
"""The most bytes of the body of a call, and of a workflow file."""
