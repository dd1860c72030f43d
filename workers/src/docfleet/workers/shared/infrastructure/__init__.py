"""docfleet.workers.shared.infrastructure"""
