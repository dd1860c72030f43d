"""docfleet.workers.notification"""
