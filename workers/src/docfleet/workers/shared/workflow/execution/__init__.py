"""docfleet.workers.shared.workflow.execution"""
