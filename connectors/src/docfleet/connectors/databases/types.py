"""The types of a reflected table: what each column takes, and how a value is bound for it."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import DOMAIN, JSONB, MONEY

from docfleet.connectors.columns import ColumnKind, ColumnType

_SMALL_FLOAT_DIGITS = 24
_MONEY_DIGITS = 18
_WRITTEN_TYPE = re.compile(r"(?P<name>[a-z ]+[a-z])(?:\((?P<bounds>[\d,]+)\))?(?P<array>\[\])?")
_BASE_TYPE = sa.text(
    """
    WITH RECURSIVE below(base, modifier, depth) AS (
        SELECT typbasetype, typtypmod, 1 FROM pg_type WHERE oid = to_regtype(:domain)
        UNION ALL
        SELECT t.typbasetype, t.typtypmod, depth + 1 FROM below JOIN pg_type t ON t.oid = base AND t.typtype = 'd'
    )
    SELECT format_type(base, modifier) FROM below ORDER BY depth DESC LIMIT 1
    """
)


class ExactNumber(sa.types.TypeDecorator[Any]):
    """A fraction bound as a decimal: PostgreSQL would round a float to 15 digits on its way into NUMERIC."""

    impl = sa.DECIMAL
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """The shortest decimal that is this float."""
        return Decimal(repr(value)) if isinstance(value, float) else value


def usable(
    connection: sa.Connection, reflected: sa.types.TypeEngine[Any]
) -> tuple[sa.types.TypeEngine[Any], ColumnType]:
    """The type to bind a reflected column with, and what the column takes, where the database keeps types strictly."""
    name = type_name(reflected, connection.dialect)
    match reflected:
        case DOMAIN():
            # Bound as its base: the database converts that, and looks at the rules of the domain.
            bound, base = usable(connection, _base(connection, reflected))
            return bound, replace(base, name=f"{reflected.name} ({base})")
        case sa.ARRAY():
            bound, item = usable(connection, reflected.item_type)
            column_type = ColumnType(ColumnKind.ARRAY, name, item=item)
            if isinstance(reflected.item_type, DOMAIN):
                return sa.types.NullType(), column_type
            bound = reflected.item_type if isinstance(bound, sa.types.NullType) else bound
            return sa.ARRAY(bound), column_type
        case JSONB():
            return JSONB(none_as_null=True), ColumnType(ColumnKind.JSON, name)
        case sa.JSON():
            return sa.JSON(none_as_null=True), ColumnType(ColumnKind.JSON, name)
        case sa.Uuid():
            return sa.Uuid(as_uuid=False), ColumnType(ColumnKind.TEXT, name)
        case sa.Numeric() | sa.Float() | MONEY():
            return _number(reflected, name)
    kind = kind_of_type(reflected)
    if kind is ColumnKind.OTHER:
        # A value without a type is read as one of the column's.
        return sa.types.NullType(), ColumnType(kind, name)
    return reflected, ColumnType(
        kind,
        name,
        length=reflected.length if isinstance(reflected, sa.String) else None,
        labels=tuple(reflected.enums) if isinstance(reflected, sa.Enum) else (),
        bits=_integer_bits(reflected),
        has_zone=not isinstance(reflected, sa.DateTime) or bool(reflected.timezone),
    )


def _number(reflected: sa.types.TypeEngine[Any], name: str) -> tuple[sa.types.TypeEngine[Any], ColumnType]:
    match reflected:
        case sa.Float():
            digits = reflected.precision
            is_small = isinstance(reflected, sa.REAL) or (digits is not None and digits <= _SMALL_FLOAT_DIGITS)
            return reflected, ColumnType(ColumnKind.FLOAT, name, bits=32 if is_small else 64)
        case sa.Numeric():
            digits = reflected.precision
            return ExactNumber(), ColumnType(ColumnKind.NUMBER, name, precision=digits, scale=reflected.scale)
    # As a text, the server's locale would decide what its point means.
    return sa.types.NullType(), ColumnType(ColumnKind.NUMBER, name, precision=_MONEY_DIGITS, scale=2)


def _base(connection: sa.Connection, domain: DOMAIN) -> sa.types.TypeEngine[Any]:
    """The type below a domain, or below several, with its bounds: the inspector leaves those out."""
    quote = connection.dialect.identifier_preparer.quote
    name = ".".join(quote(part) for part in (domain.schema, str(domain.name)) if part)
    written = connection.execute(_BASE_TYPE, {"domain": name}).scalar()
    match = _WRITTEN_TYPE.fullmatch(str(written))
    named = getattr(connection.dialect, "ischema_names", {}).get(match["name"]) if match else None
    if match is None or named is None:
        return domain.data_type
    made: sa.types.TypeEngine[Any] = named(*(int(bound) for bound in (match["bounds"] or "").split(",") if bound))
    return sa.ARRAY(made) if match["array"] else made


def _integer_bits(reflected: sa.types.TypeEngine[Any]) -> int:
    match reflected:
        case sa.SmallInteger():
            return 16
        case sa.BigInteger():
            return 64
    return 32 if isinstance(reflected, sa.Integer) else 64


def type_name(column_type: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> str:
    """The type as the database writes it, for messages."""
    try:
        return column_type.compile(dialect=dialect).lower()
    except sa.exc.CompileError:
        return ""  # a type that SQLAlchemy does not know


def kind_of_type(column_type: sa.types.TypeEngine[Any]) -> ColumnKind:
    """What a column of this type holds."""
    match column_type:
        case sa.Boolean():
            return ColumnKind.BOOLEAN
        case sa.Integer():
            return ColumnKind.INTEGER
        case sa.Float():
            return ColumnKind.FLOAT
        case sa.Numeric():
            return ColumnKind.NUMBER
        case sa.DateTime():
            return ColumnKind.TIMESTAMP
        case sa.Date():
            return ColumnKind.DATE
        case sa.LargeBinary():
            return ColumnKind.BINARY
        case sa.String():
            return ColumnKind.TEXT
    return ColumnKind.OTHER
