"""Folders of SSH servers, by asyncssh."""
