"""Settings of the backend process, read once from the environment."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import msgspec

from docfleet.backend.platform.db import normalise_url
from docfleet.core.outbound import Network, parse_networks
from docfleet.core.settings import check_key, read_settings

PREFIXES = (
    "BACKEND_",
    "INTERNAL_SERVICE_",
    "DISPATCH_DEADLINE_",
    "EXECUTION_DEADLINE_",
    "ORCHESTRATION_TIMEOUT_",
    "EXECUTION_RETENTION_",
    "MAX_FILE_",
    "MAX_WORKER_",
    "MAX_PARALLEL_FILE_",
    "STEP_RESULTS_",
    "OUTBOX_",
    "LOG_RETENTION_",
    "LOG_ARCHIVE_",
    "SCHEDULE_",
    "MIN_SCHEDULE_",
)
"""A variable that begins so and means nothing here is a misspelt setting."""

Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class BackendSettings(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """What ``docfleet backend`` reads. Times are seconds; 0 as EXECUTION_DEADLINE_SECONDS means none.

    MAX_FILE_EXECUTION_COUNT bounds failed runs of one file over all executions, MAX_FILE_ATTEMPTS the processes one
    file may kill within one execution, MAX_WORKER_LOSSES the leases on it that may run out. EXECUTION_RETENTION_DAYS
    is how long ended executions are kept, 0 for ever; STEP_RESULTS_SECONDS how long what finished steps made of files
    that did not succeed. OUTBOX_RETRY_SECONDS is the wait before the second attempt of a notification, doubled each
    time up to OUTBOX_LONGEST_WAIT_SECONDS; OUTBOX_RETENTION_DAYS how long those that were told, or are dead, are kept,
    0 for ever. MIN_SCHEDULE_INTERVAL_SECONDS is what lies at least between two runs of a schedule; a run that
    is due for longer than SCHEDULE_LATE_SECONDS is the catch-up policy's; what became of each is kept for
    SCHEDULE_HISTORY_DAYS, 0 for ever. LOG_RETENTION_SECONDS is how long after its end
    the log of an execution stays in the database before it goes to the archive, LOG_ARCHIVE_DAYS how long it stays
    there, 0 for ever. EXECUTION_STORAGE_ROOT is where calls of APIs lay their files for the workers;
    without it they are refused. REDIS_URL brings the limits on concurrent calls; without it there
    are none. API_PRESIGNED_ALLOWED_HOSTS are comma-separated host names (``*.`` for any label) instead of S3's,
    API_PRESIGNED_ALLOWED_NETWORKS private networks they may resolve to. Raises ``ConfigurationError`` naming the
    variable.
    """

    database_url: str
    internal_service_api_key: str
    encryption_key: str
    broker_url: str = msgspec.field(name="CELERY_BROKER_BASE_URL")
    internal_service_api_key_previous: str | None = None
    backend_host: str = "127.0.0.1"
    backend_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8000
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["console", "json"] = "console"
    max_parallel_file_batches: Positive | None = None
    max_file_execution_count: Positive = 3
    max_file_attempts: Positive = 3
    max_worker_losses: Positive = 10
    dispatch_deadline_seconds: Seconds = 60.0
    execution_deadline_seconds: Seconds = 0.0
    execution_retention_days: Seconds = 0.0
    step_results_seconds: Annotated[float, msgspec.Meta(gt=0)] = 7 * 86_400.0
    orchestration_timeout_seconds: Seconds = 86_400.0
    outbox_retry_seconds: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    outbox_longest_wait_seconds: Annotated[float, msgspec.Meta(gt=0)] = 3600.0
    outbox_retention_days: Seconds = 7.0
    min_schedule_interval_seconds: Positive = 60
    schedule_late_seconds: Seconds = 120.0
    schedule_history_days: Seconds = 90.0
    log_retention_seconds: Annotated[float, msgspec.Meta(gt=0)] = 7 * 86_400.0
    log_archive_days: Seconds = 90.0
    tool_registry_config_path: str | None = None
    redis_url: str | None = None
    execution_storage_root: str | None = None
    execution_result_ttl_seconds: Annotated[int, msgspec.Meta(ge=1)] = 86_400
    api_concurrent_limit_org: Positive = 20
    api_concurrent_limit_global: Positive = 100
    api_max_file_size_mb: Positive = 100
    api_max_request_size_mb: Positive = 1024
    api_presigned_max_file_size_mb: Positive = 20
    api_presigned_timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    api_presigned_allowed_hosts: str = ""
    api_presigned_allowed_networks: str = ""
    api_presigned_ca_file: str | None = None

    def __post_init__(self) -> None:
        normalise_url(self.database_url)
        _ = self.presigned_networks
        check_key("INTERNAL_SERVICE_API_KEY", self.internal_service_api_key)
        if self.internal_service_api_key_previous is not None:
            check_key("INTERNAL_SERVICE_API_KEY_PREVIOUS", self.internal_service_api_key_previous)

    @classmethod
    def read(cls) -> Self:
        """The settings of this process."""
        return read_settings(cls, prefixes=PREFIXES)

    def __repr__(self) -> str:
        return f"BackendSettings(port={self.backend_port})"

    @property
    def presigned_networks(self) -> tuple[Network, ...]:
        """API_PRESIGNED_ALLOWED_NETWORKS. Raises ``ConfigurationError``."""
        return parse_networks("API_PRESIGNED_ALLOWED_NETWORKS", self.api_presigned_allowed_networks)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that are accepted: the current one and, while it is rotated, the previous one."""
        return tuple(filter(None, (self.internal_service_api_key, self.internal_service_api_key_previous)))
