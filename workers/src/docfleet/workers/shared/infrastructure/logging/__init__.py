"""docfleet.workers.shared.infrastructure.logging"""
