"""docfleet.connectors"""
