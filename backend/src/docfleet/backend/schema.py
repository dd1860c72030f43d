"""All tables: importing this module fills ``metadata``."""

from __future__ import annotations

from docfleet.backend.connectors import models as connectors
from docfleet.backend.db import metadata
from docfleet.backend.deployments import models as deployments
from docfleet.backend.executions import models as executions
from docfleet.backend.files import models as files
from docfleet.backend.keys import models as keys
from docfleet.backend.logs import models as logs
from docfleet.backend.notifications import models as notifications
from docfleet.backend.organizations import models as organizations
from docfleet.backend.pipelines import models as pipelines
from docfleet.backend.schedules import models as schedules
from docfleet.backend.tools import models as tools
from docfleet.backend.usage import models as usage
from docfleet.backend.workflows import models as workflows

__all__ = [
    "connectors",
    "deployments",
    "executions",
    "files",
    "keys",
    "logs",
    "metadata",
    "notifications",
    "organizations",
    "pipelines",
    "schedules",
    "tools",
    "usage",
    "workflows",
]
