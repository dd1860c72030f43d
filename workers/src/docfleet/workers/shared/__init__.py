"""The layers that all worker types share, from ``workflow`` down to ``models``."""
