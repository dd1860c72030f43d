"""docfleet.backend.schedules"""
