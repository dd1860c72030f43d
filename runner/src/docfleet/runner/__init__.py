"""The runner: an HTTP service that executes extraction tools, each in a process group of its own."""
