"""What the tables' columns have in common, and the metadata that they are in.

Before: ``tables``.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Enum, Identity, MetaData, Text, func
from sqlalchemy.dialects.postgresql import ARRAY

from sentinels.core.job import JobState, Reason

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

job_state = Enum(*[state.value for state in JobState], name="job_state", metadata=metadata)
reason = Enum(*[value.value for value in Reason], name="reason", metadata=metadata)


def moment(name: str, *, nullable: bool = True) -> Column[object]:
    """A time with its zone."""
    return Column(name, DateTime(timezone=True), nullable=nullable)


def now(name: str, *, comment: str | None = None) -> Column[object]:
    """The time at which the row was made, unless another is given."""
    kind = DateTime(timezone=True)
    return Column(name, kind, nullable=False, server_default=func.now(), comment=comment)


def texts(name: str, *, comment: str) -> Column[list[str]]:
    """A list of texts, empty unless it is given."""
    return Column(name, ARRAY(Text), nullable=False, server_default="{}", comment=comment)


def big_identity() -> Column[int]:
    """The key ``id``, in the order in which rows are made."""
    return Column("id", BigInteger, Identity(always=True), primary_key=True)
