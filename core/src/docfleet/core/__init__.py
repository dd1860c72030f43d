"""docfleet.core"""
