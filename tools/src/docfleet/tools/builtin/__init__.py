"""The tools that ship with Docfleet, one folder each."""
