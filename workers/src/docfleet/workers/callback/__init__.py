"""docfleet.workers.callback"""
