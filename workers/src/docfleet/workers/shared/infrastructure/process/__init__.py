"""docfleet.workers.shared.infrastructure.process"""
