"""docfleet.tools"""
