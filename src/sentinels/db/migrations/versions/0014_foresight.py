"""What was foreseen of starts, and how it came."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0012"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(Path(__file__).with_suffix(".sql").read_text("utf-8"))
