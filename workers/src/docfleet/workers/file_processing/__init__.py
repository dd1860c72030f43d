"""Worker type ``file_processing``: processes the files of a batch."""
