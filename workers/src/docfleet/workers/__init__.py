"""docfleet.workers"""
