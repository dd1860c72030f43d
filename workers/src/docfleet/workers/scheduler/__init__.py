"""docfleet.workers.scheduler"""
