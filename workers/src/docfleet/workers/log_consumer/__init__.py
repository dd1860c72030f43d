"""docfleet.workers.log_consumer"""
