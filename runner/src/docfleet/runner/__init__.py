"""docfleet.runner"""
