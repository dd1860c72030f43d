"""docfleet.workers.shared.clients"""
