"""``InternalApi``: one object holding the clients, made once per process."""

from __future__ import annotations

from docfleet.core.errors import RunnerUnavailable
from docfleet.workers.shared.cache.redis_cache import RedisCache
from docfleet.workers.shared.clients.execution_client import ExecutionClient
from docfleet.workers.shared.clients.file_client import FileClient
from docfleet.workers.shared.clients.organization_client import OrganizationClient
from docfleet.workers.shared.clients.pipeline_client import PipelineClient
from docfleet.workers.shared.clients.tool_client import ToolClient
from docfleet.workers.shared.clients.transport import HttpTransport
from docfleet.workers.shared.clients.webhook_client import WebhookClient
from docfleet.workers.shared.clients.workflow_client import WorkflowClient
from docfleet.workers.shared.infrastructure.config.settings import WorkerSettings
from docfleet.workers.shared.infrastructure.process.fork import per_process
from docfleet.workers.shared.infrastructure.process.process_settings import settings

RUNNER_WAIT_SECONDS = 2.0
"""The longest wait between two calls to a runner that does not answer: a worker that is to stop does not wait
longer."""


class InternalApi:
    """The connections of this process to backend, runner and cache. Clients are bound to an organization and
    cost nothing to make; the connections below them are shared."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self._backend = HttpTransport(
            settings.internal_api_base_url,
            settings.internal_service_api_key,
            dependency="the backend",
            timeout=settings.internal_api_timeout,
            attempts=settings.internal_api_retry_attempts,
        )
        self._runner = HttpTransport(
            settings.unstract_runner_url,
            settings.runner_api_key,
            dependency="the runner",
            error=RunnerUnavailable,
            attempts=settings.internal_api_retry_attempts,
            longest_wait=RUNNER_WAIT_SECONDS,
        )
        self._cache = RedisCache(settings.redis_url)
        self.tools = ToolClient(self._runner)

    def executions(self, organization_id: str) -> ExecutionClient:
        """Executions of one organization."""
        return ExecutionClient(self._backend, organization_id)

    def files(self, organization_id: str) -> FileClient:
        """Files of one organization."""
        return FileClient(self._backend, organization_id)

    def pipelines(self, organization_id: str) -> PipelineClient:
        """Pipelines of one organization."""
        return PipelineClient(self._backend, organization_id)

    def webhooks(self, organization_id: str) -> WebhookClient:
        """Webhooks and other notifications of one organization."""
        return WebhookClient(self._backend, organization_id)

    def workflows(self, organization_id: str) -> WorkflowClient:
        """Workflows of one organization."""
        return WorkflowClient(self._backend, organization_id)

    def organization(self, organization_id: str) -> OrganizationClient:
        """Settings of one organization."""
        return OrganizationClient(self._backend, organization_id, self._cache)

    def close(self) -> None:
        """Close all connections."""
        self._backend.close()
        self._runner.close()
        self._cache.close()


@per_process
def internal_api() -> InternalApi:
    """The connections of this pool child, made on first use."""
    return InternalApi(settings())
