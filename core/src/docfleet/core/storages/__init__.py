"""Where the system keeps its own work: one protocol over a folder, a bucket of an object store, or memory."""
