"""Tables for three facts that were found by reading ledger payloads and notices.

Nothing is copied into them: what was recorded before stays where the ledger has it, and is read
from there. A row without a ledger entry would show as one that was added by hand.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = ("confirmation", "run_start", "response_read")


def upgrade() -> None:
    op.create_table(
        "confirmation",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("run", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["model", "version"],
            ["mlops.version.model", "mlops.version.number"],
            name=op.f("fk_confirmation_model_version"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_confirmation")),
        schema="mlops",
    )
    op.create_table(
        "run_start",
        sa.Column("dag_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("dag_id", "run_id", "user_id", name=op.f("pk_run_start")),
        schema="mlops",
    )
    op.create_table(
        "response_read",
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["request"], ["mlops.gate.id"], name=op.f("fk_response_read_request")
        ),
        sa.PrimaryKeyConstraint("request", name=op.f("pk_response_read")),
        schema="mlops",
    )
    op.execute(
        """
        CREATE FUNCTION mlops.fact_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'the table % is append-only: % is refused', TG_TABLE_NAME, TG_OP
                USING ERRCODE = 'insufficient_privilege';
        END $$
        """
    )
    for table in _TABLES:
        op.execute(
            f"""
            CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON mlops.{table}
            FOR EACH STATEMENT EXECUTE FUNCTION mlops.fact_is_append_only()
            """
        )
        # The roles that add facts already, so that an upgrade that names none breaks no task.
        op.execute(
            f"""
            DO $$
            DECLARE role name;
            BEGIN
                FOR role IN
                    SELECT DISTINCT grantee.rolname
                    FROM pg_class AS fact, aclexplode(fact.relacl) AS allowed,
                        pg_roles AS grantee
                    WHERE fact.oid = 'mlops.notice'::regclass AND fact.relowner <> allowed.grantee
                        AND allowed.privilege_type = 'INSERT' AND grantee.oid = allowed.grantee
                LOOP
                    EXECUTE format('GRANT SELECT, INSERT ON mlops.{table} TO %I', role);
                END LOOP;
            END $$
            """
        )
