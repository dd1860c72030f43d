"""Office Open XML: word processing, workbooks and slides, of every variant."""
