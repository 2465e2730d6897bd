"""The tables of notices, beside the outbox: recipients, threads, what is looked at now and then.

Before: ``tables``. Next: ``columns``, ``sql/``.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from sentinels.db.columns import big_identity, metadata, moment, now

_ADDRESS = "as in outbox.recipient; empty: the default channel"

recipients = Table(
    "recipients",
    metadata,
    Column("address", Text, primary_key=True, comment=_ADDRESS),
    now("next_at", comment="not told anything before this"),
    moment("told_at"),
    Column(
        "gap_seconds",
        Double,
        nullable=False,
        server_default="0",
        comment="how long it was left alone after it was last told",
    ),
    Column(
        "failures",
        Integer,
        nullable=False,
        server_default="0",
        comment="tries since something last arrived",
    ),
)

threads = Table(
    "threads",
    metadata,
    Column("sweep_id", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("place", Text, nullable=False, comment="the channel that the service said it is in"),
    Column(
        "ts",
        Text,
        nullable=False,
        comment="of its first message; empty: it was lost, and no other is begun",
    ),
    PrimaryKeyConstraint("sweep_id", "address"),
)

rounds = Table(
    "rounds",
    metadata,
    Column(
        "name",
        Text,
        primary_key=True,
        comment="what is looked at now and then, by one process at a time",
    ),
    now("at"),
)

conditions = Table(
    "conditions",
    metadata,
    big_identity(),
    Column("name", Text, nullable=False, comment="full:gpu:a100, full:cpu, idle:node-7 and so on"),
    now("since"),
    now("seen_at", comment="when it last held"),
    moment("told_at"),
    moment("resolved_at"),
    Column("line", Text, nullable=False, comment="what it is, in a line that names no job"),
    Column("facts", JSONB, nullable=False, server_default="{}"),
    Index("conditions_name_idx", "name", unique=True, postgresql_where=text("resolved_at IS NULL")),
)
