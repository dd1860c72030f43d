"""docfleet.workers.shared.infrastructure.context"""
