"""docfleet.workers.shared"""
