"""docfleet.backend.logs"""
