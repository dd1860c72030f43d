"""Settings, the table of worker types, time limits, checks of the servers."""
