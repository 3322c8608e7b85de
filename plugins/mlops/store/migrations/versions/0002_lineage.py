"""Readings of the warehouse, and the outbox of lineage events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reading",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_reading")),
        schema="mlops",
    )
    op.create_index(op.f("ix_reading_model"), "reading", ["model"], unique=False, schema="mlops")
    op.create_index(
        op.f("ix_reading_subject"), "reading", ["subject"], unique=False, schema="mlops"
    )
    op.create_table(
        "lineage_event",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", "position", name=op.f("pk_lineage_event")),
        schema="mlops",
    )
    for column in ("job", "run_id"):
        op.create_index(
            op.f(f"ix_lineage_event_{column}"),
            "lineage_event",
            [column],
            unique=False,
            schema="mlops",
        )
    op.create_table(
        "lineage_delivery",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_delivery")),
        schema="mlops",
    )
    op.create_index(
        op.f("ix_lineage_delivery_destination_seq_position"),
        "lineage_delivery",
        ["destination", "seq", "position"],
        unique=False,
        schema="mlops",
    )
