"""A table for the plans of batches, which the tasks of a run handed on to each other before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    document = postgresql.JSONB(astext_type=sa.Text())
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "plan",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("generation", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("package_digest", sa.Text(), nullable=False),
        sa.Column("by_rule", sa.Boolean(), nullable=False),
        sa.Column("window", sa.Text(), nullable=False),
        sa.Column("window_start", moment, nullable=False),
        sa.Column("window_end", moment, nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("shards", sa.BigInteger(), nullable=False),
        sa.Column("parts", document, nullable=False),
        sa.Column("profile", document, nullable=False),
        sa.Column("reading", sa.Text(), nullable=False),
        sa.Column("run", document, nullable=False),
        sa.Column("chosen_at", moment, nullable=False),
        sa.Column("planned_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["mlops.version.model", "mlops.version.number"],
            name=op.f("fk_plan_model_version"),
        ),
        sa.ForeignKeyConstraint(
            ["reading"], ["mlops.reading.digest"], name=op.f("fk_plan_reading")
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_plan")),
        sa.UniqueConstraint("id", name=op.f("uq_plan_id")),
        schema="mlops",
    )
    op.create_index(op.f("ix_plan_model"), "plan", ["model"], schema="mlops")
    op.create_index(op.f("ix_plan_batch"), "plan", ["batch"], schema="mlops")
    op.execute(
        """
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON mlops.plan
        FOR EACH STATEMENT EXECUTE FUNCTION mlops.fact_is_append_only()
        """
    )
    # The roles that add facts already, so that an upgrade that names none breaks no task.
    op.execute(
        """
        DO $$
        DECLARE role name;
        BEGIN
            FOR role IN
                SELECT DISTINCT grantee.rolname
                FROM pg_class AS fact, aclexplode(fact.relacl) AS allowed, pg_roles AS grantee
                WHERE fact.oid = 'mlops.notice'::regclass AND fact.relowner <> allowed.grantee
                    AND allowed.privilege_type = 'INSERT' AND grantee.oid = allowed.grantee
            LOOP
                EXECUTE format('GRANT SELECT, INSERT ON mlops.plan TO %I', role);
            END LOOP;
        END $$
        """
    )
