"""Messages that no worker can work on."""

from __future__ import annotations

import json

from tests.task_messages import EMBED

NONSENSE = json.dumps([[{"file_data": {"execution_id": "../../etc", "organization_id": "x"}}], {}, EMBED])
"""A body whose arguments are not those of the task."""
