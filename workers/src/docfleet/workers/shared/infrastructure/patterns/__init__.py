"""docfleet.workers.shared.infrastructure.patterns"""
