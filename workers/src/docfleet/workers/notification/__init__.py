"""Worker type ``notification``: sends notifications."""
