"""Settings of the backend process, read once from the environment."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import msgspec

from docfleet.backend.platform.db import normalise_url
from docfleet.core.errors import ConfigurationError
from docfleet.core.outbound import Network, parse_networks
from docfleet.core.settings import check_key, read_settings

PREFIXES = (
    "BACKEND_",
    "METRICS_API_",
    "INTERNAL_SERVICE_",
    "DISPATCH_DEADLINE_",
    "EXECUTION_DEADLINE_",
    "ORCHESTRATION_TIMEOUT_",
    "EXECUTION_RETENTION_",
    "MAX_FILE_",
    "MAX_WORKER_",
    "MAX_MACHINE_",
    "MAX_PARALLEL_FILE_",
    "MAX_FILES_PER_",
    "MAX_PAGES_PER_",
    "MAX_CONCURRENT_EXEC",
    "MAX_OPEN_",
    "QUANTUM_",
    "FAIR_SHARE_",
    "STEP_RESULTS_",
    "OUTBOX_",
    "LOG_RETENTION_",
    "LOG_ARCHIVE_",
    "SCHEDULE_",
    "MIN_SCHEDULE_",
)
"""An unknown variable with one of these prefixes is a misspelt setting."""

Positive = Annotated[int, msgspec.Meta(ge=1)]
Limit = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class BackendSettings(msgspec.Struct, frozen=True, kw_only=True, rename=str.upper):
    """What ``docfleet backend`` reads. Raises ``ConfigurationError`` naming the variable."""

    database_url: str
    """Where the rows live: `sqlite:////path/file.db` or `postgresql://USER:PASSWORD@HOST/DATABASE`."""
    internal_service_api_key: str
    """The key of workers and administrators, at least 32 characters. Its holder can do everything."""
    encryption_key: str
    """The Fernet key of the stored credentials. Losing it loses them."""
    broker_url: str = msgspec.field(name="CELERY_BROKER_BASE_URL")
    """The Celery broker: `redis://`, `rediss://` or `amqp://`."""
    internal_service_api_key_previous: str | None = None
    """The internal key before the current one. It is accepted as well while keys are rotated."""
    metrics_api_key: str | None = None
    """A key that opens `/metrics` and nothing else, at least 32 characters. Unset, only the internal key opens it."""
    backend_host: str = "127.0.0.1"
    """The address the backend listens on."""
    backend_port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8000
    """The port the backend listens on; 0 takes a free one."""
    backend_max_connections: Positive = 1000
    """Connections that may be open at once on one port. Beyond, the one that has sent no complete request for the
    longest time is closed."""
    backend_internal_host: str | None = None
    """The address of BACKEND_INTERNAL_PORT. Unset, BACKEND_HOST."""
    backend_internal_port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    """A second port, for workers: it has connections of its own, so strangers on BACKEND_PORT take none of them. Unset,
    workers call BACKEND_PORT."""
    backend_internal_only: bool = False
    """`true` serves the internal routes on BACKEND_INTERNAL_PORT only: on BACKEND_PORT they answer 404."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least serious log line that is written."""
    log_format: Literal["console", "json"] = "console"
    """`json` writes one object per line, `console` is for people."""
    max_parallel_file_batches: Positive | None = None
    """Batches per execution at most. Unset, the file-processing slots decide. An organization may override it."""
    quantum_seconds: Annotated[float, msgspec.Meta(gt=0)] = 3.0
    """Seconds that a batch keeps its slot while others with a smaller share wait. Less answers sooner and costs more
    changes of slots; a file in work is always finished first."""
    quantum_pages: Positive = 500
    """Pages after which a quantum is used up as well; a file without pages counts as one."""
    fair_share_weight: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    """The weight of an organization: with twice the weight of another it gets twice the slots while both wait. An
    organization may have another one (`docfleet organizations set`)."""
    max_open_batches: Positive = 8
    """Batches of runs that may be open at once; organizations share them by weight while they compete. It counts as at
    least two per file-processing slot. Beyond, executions wait without a message in the queue."""
    max_file_execution_count: Positive = 3
    """Executions in which one file may fail. Later executions skip it as `attempts_exhausted`; a retry does not."""
    max_files_per_day: Limit = 0
    """Files that an organization may have processed in a day of UTC; 0 sets no limit. Beyond, calls answer 429, and
    runs leave files out as `over_quota`. An organization may have another limit (`docfleet organizations set`)."""
    max_pages_per_day: Limit = 0
    """Pages that an organization may have processed in a day of UTC; 0 sets no limit. Once they are used up, calls and
    runs answer 429; what runs already is finished. An organization may have another limit."""
    max_concurrent_executions: Limit = 0
    """Executions of an organization that may be open at once, of APIs and of workflows; 0 sets no limit. Beyond, calls
    and runs answer 429. An organization may have another limit."""
    max_file_attempts: Positive = 3
    """Strikes: processes one file may kill within one execution while their worker lives. Then the file ends in ERROR,
    alone. An execution whose listing kills that many processes ends in ERROR, too."""
    max_worker_losses: Positive = 10
    """Losses: how often the lease of one file may expire within one execution. Then the file ends in ERROR."""
    max_machine_troubles: Positive = 20
    """Troubles: how often one file may be handed back within one execution because its worker's machine had no space,
    descriptors or memory left. The waits in between double up to a minute. Then the file ends in ERROR."""
    dispatch_deadline_seconds: Seconds = 60.0
    """Seconds until work that nobody took is sent again. Each repeat waits twice as long. While messages still lie in
    its queue, the sweep sends it again only when the queue has moved past it, or after ten times as long."""
    execution_deadline_seconds: Seconds = 0.0
    """Seconds an execution may take; 0 sets no limit. Beyond, it ends in ERROR: its tools are killed, and what was
    delivered stays COMPLETED."""
    execution_retention_days: Seconds = 0.0
    """Days that ended executions, their files and results are kept; 0 keeps them for ever. File history and usage stay.
    """
    step_results_seconds: Annotated[float, msgspec.Meta(gt=0)] = 7 * 86_400.0
    """Seconds that results of finished steps are kept for files that did not succeed. They are extracts of documents.
    Those of a file that succeeded are deleted at once."""
    orchestration_timeout_seconds: Seconds = 86_400.0
    """Seconds until an execution that no worker has begun ends in ERROR."""
    outbox_retry_seconds: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    """Seconds before the second attempt of a notification. The wait doubles with each attempt."""
    outbox_longest_wait_seconds: Annotated[float, msgspec.Meta(gt=0)] = 3600.0
    """Upper bound in seconds of the wait between two attempts of a notification."""
    outbox_retention_days: Seconds = 7.0
    """Days that delivered and dead notification events are kept; 0 keeps them for ever. An event that waits longer
    becomes dead."""
    min_schedule_interval_seconds: Positive = 60
    """Seconds that must lie between two runs of a schedule. A denser schedule is refused."""
    schedule_late_seconds: Seconds = 120.0
    """Seconds after which a due run counts as missed. The catch-up policy of its pipeline then decides."""
    schedule_history_days: Seconds = 90.0
    """Days that the outcome of each tick is kept; 0 keeps it for ever."""
    log_retention_seconds: Annotated[float, msgspec.Meta(gt=0)] = 7 * 86_400.0
    """Seconds after its end that the log of an execution stays in the database. The sweep then moves it to the archive
    below EXECUTION_STORAGE_ROOT. Without that folder it stays until its execution is deleted."""
    log_archive_days: Seconds = 90.0
    """Days that an archived log is kept; 0 keeps it for ever."""
    tool_registry_config_path: str | None = None
    """A folder of tool descriptors, in addition to the installed tools."""
    redis_url: str | None = None
    """Redis for the limits on concurrent calls, and for signals between several backends. Unset, calls are not
    limited."""
    execution_storage_root: str | None = None
    """The folder that backend, runner and workers share, an absolute path. Unset, API calls with documents answer 503,
    and the sweep deletes no working folder."""
    execution_result_ttl_seconds: Annotated[int, msgspec.Meta(ge=1)] = 86_400
    """Seconds that results of an API call can be read, and that its failed files can be retried."""
    api_concurrent_limit_org: Positive = 20
    """API executions of one organization that may be open at once. Beyond, calls answer 429. The organization setting
    `API_CONCURRENT_REQUEST_LIMIT` overrides it."""
    api_concurrent_limit_global: Positive = 100
    """API executions of all organizations that may be open at once. Beyond, calls answer 429."""
    api_max_file_size_mb: Positive = 100
    """MiB of one uploaded file. Beyond, the call answers 413."""
    api_max_request_size_mb: Positive = 1024
    """MiB of one call. Beyond, the call answers 413."""
    api_presigned_max_file_size_mb: Positive = 20
    """MiB of one file that is fetched from a presigned URL. Beyond, the call answers 413."""
    api_presigned_timeout_seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    """Seconds that fetching one presigned URL may take."""
    api_presigned_allowed_hosts: str = ""
    """Hosts that presigned URLs may point to, separated by commas; `*.` stands for any label. Empty allows Amazon S3.
    """
    api_presigned_allowed_networks: str = ""
    """Private networks that those hosts may resolve to, as `10.1.0.0/16`, separated by commas. Empty allows public
    addresses only."""
    api_presigned_ca_file: str | None = None
    """A file of certificates that are trusted for presigned URLs, instead of the system's."""

    def __post_init__(self) -> None:
        normalise_url(self.database_url)
        _ = self.presigned_networks
        if self.backend_internal_port == self.backend_port:
            raise ConfigurationError("setting BACKEND_INTERNAL_PORT is BACKEND_PORT: choose another, or leave it out")
        if self.backend_internal_only and self.backend_internal_port is None:
            raise ConfigurationError("setting BACKEND_INTERNAL_ONLY needs a port: set BACKEND_INTERNAL_PORT, too")
        check_key("INTERNAL_SERVICE_API_KEY", self.internal_service_api_key)
        if self.internal_service_api_key_previous is not None:
            check_key("INTERNAL_SERVICE_API_KEY_PREVIOUS", self.internal_service_api_key_previous)
        if self.metrics_api_key is not None:
            check_key("METRICS_API_KEY", self.metrics_api_key)
            if self.metrics_api_key in self.keys:
                raise ConfigurationError(
                    "setting METRICS_API_KEY is the internal key: give those who scrape a key of their own, "
                    "for example from `openssl rand -hex 32`"
                )

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
    def metrics_keys(self) -> tuple[str, ...]:
        """The key that opens the metrics only, where there is one."""
        return () if self.metrics_api_key is None else (self.metrics_api_key,)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that are accepted: the current one and, while it is rotated, the previous one."""
        return tuple(filter(None, (self.internal_service_api_key, self.internal_service_api_key_previous)))
