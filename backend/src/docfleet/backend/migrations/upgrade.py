"""Bringing a database to the newest schema."""

from __future__ import annotations

from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from docfleet.backend.platform.db import Database
from docfleet.core.errors import DependencyError

log = structlog.get_logger(__name__)

_ADVISORY_LOCK = 734_220_115


class DatabaseAway(DependencyError):
    """The database does not answer; a later attempt may succeed."""


def upgrade(database_url: str) -> None:
    """Apply missing migrations in one transaction; prints nothing. Several processes may call it at once.

    Raises ``DatabaseAway``, and ``DependencyError`` when the upgrade fails.
    """
    database = Database(database_url)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    try:
        with database.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            newest = ScriptDirectory.from_config(config).get_current_head()
            present = MigrationContext.configure(connection).get_current_revision()
            if present == newest:
                return
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            log.info("database.upgraded", before=present, after=newest)
    except OperationalError as error:
        raise DatabaseAway(
            f"the database does not answer: {_cause(error)}; check that it runs and that DATABASE_URL is right"
        ) from error
    except DBAPIError as error:
        raise DependencyError(
            f"the database refuses the schema: {_cause(error)}; "
            "the user in DATABASE_URL has to be allowed to make tables"
        ) from error
    except CommandError as error:
        raise DependencyError(
            f"the database has a schema this version does not know ({error}): start the version that wrote it, or newer"
        ) from error
    finally:
        database.close()


def _cause(error: DBAPIError) -> str:
    """The message in one line: drivers write several."""
    return " ".join(str(error.orig).split())
