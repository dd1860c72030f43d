"""docfleet.workers.shared.workflow.connectors"""
