"""docfleet.workers.shared.infrastructure.config"""
