"""docfleet.workers.shared.workflow"""
