"""A tool that counts its runs: what is paid for twice shows."""
