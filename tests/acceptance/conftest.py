"""The fleets the acceptance tests share: started on first use."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.acceptance.fleet import Fleet


@pytest.fixture(scope="session")
def embedded_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Valkey and SQLite, as ``docfleet dev`` starts them."""
    fleet = Fleet(tmp_path_factory.mktemp("embedded"))
    yield fleet
    fleet.stop()


@pytest.fixture(scope="session")
def service_databases(postgres_url: str) -> Iterator[tuple[str, str]]:
    """Two empty PostgreSQL databases: for the backend and for Celery's results. Driver psycopg."""
    admin = sa.create_engine(
        sa.make_url(postgres_url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    names = [f"docfleet_{kind}_{uuid.uuid4().hex[:8]}" for kind in ("backend", "results")]
    with admin.connect() as connection:
        for name in names:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
    urls = [admin.url.set(database=name).render_as_string(hide_password=False) for name in names]
    yield urls[0], urls[1]
    with admin.connect() as connection:
        for name in names:
            connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture(scope="module")
def service_fleet(
    tmp_path_factory: pytest.TempPathFactory, service_databases: tuple[str, str], rabbitmq_url: str
) -> Iterator[Fleet]:
    """RabbitMQ as broker, PostgreSQL for results and for the backend.

    It ends with its module: two fleets on one broker take each other's messages.
    """
    backend, results = service_databases
    fleet = Fleet(
        tmp_path_factory.mktemp("services"),
        {
            "DATABASE_URL": backend,
            "CELERY_BROKER_BASE_URL": rabbitmq_url,
            "CELERY_RESULT_BACKEND": f"db+{results}",
        },
    )
    yield fleet
    fleet.stop()


@pytest.fixture
def fleet(embedded_fleet: Fleet) -> Fleet:
    """The default."""
    return embedded_fleet


@pytest.fixture(params=["embedded", "service"])
def each_fleet(request: pytest.FixtureRequest) -> Fleet:
    """One after the other: the core of the acceptance tests runs on both."""
    found: Fleet = request.getfixturevalue(f"{request.param}_fleet")
    return found
