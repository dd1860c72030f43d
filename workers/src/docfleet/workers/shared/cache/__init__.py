"""docfleet.workers.shared.cache"""
