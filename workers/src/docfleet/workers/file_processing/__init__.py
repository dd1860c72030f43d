"""docfleet.workers.file_processing"""
