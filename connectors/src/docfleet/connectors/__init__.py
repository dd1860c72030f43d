"""Where documents come from and where results go.

``registry.open_file_system`` and ``registry.open_database`` open a connector by name; ``base`` says what a
connector does; ``delivery.deliver_files`` copies a tool's output files to a destination. Nothing here imports
a database library until a database connector is opened.
"""
