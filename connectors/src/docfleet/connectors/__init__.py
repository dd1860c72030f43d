"""Connectors: the sources of documents and the destinations of results.

``registry.open_file_system`` and ``registry.open_database`` open a connector by name; ``base`` defines what a
connector does; ``delivery.deliver_files`` copies a tool's output files to a destination. Nothing here imports
a database library before a database connector is opened.
"""
