"""docfleet.backend"""
