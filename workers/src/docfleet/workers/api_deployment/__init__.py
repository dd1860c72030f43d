"""docfleet.workers.api_deployment"""
