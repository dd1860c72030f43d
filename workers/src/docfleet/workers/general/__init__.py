"""docfleet.workers.general"""
