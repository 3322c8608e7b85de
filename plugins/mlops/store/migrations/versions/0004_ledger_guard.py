"""What the database itself asks of a new ledger entry, and a lock that needs a grant.

An entry of a role that does not own the ledger has to follow the last one and to have the digest
of its own content. ``key.*`` is for the owner alone, and approvals are for the API server's roles,
once one is named. A later migration that adds a column to the ledger replaces the function, since
it knows the columns that a digest covers.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_LOCK = """
CREATE FUNCTION mlops.lock_ledger() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '15s' AS $$
BEGIN
    PERFORM 1 FROM mlops.ledger_guard FOR UPDATE;
END $$
"""
# The canonical JSON of mlops.digests: to_json() escapes text as Python's json module does.
_CHECK = """
CREATE FUNCTION mlops.check_ledger_entry() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    is_owner boolean;
    last record;
    content text;
BEGIN
    SELECT pg_has_role(session_user, relowner, 'MEMBER') INTO is_owner
    FROM pg_class WHERE oid = TG_RELID;
    IF starts_with(NEW.action, 'key.') AND NOT is_owner THEN
        RAISE EXCEPTION 'role % may not append %: keys are for the owner of the ledger',
            session_user, NEW.action USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.action = 'signature.given' AND NOT EXISTS (
        SELECT FROM mlops.ledger_guard
        WHERE api_roles = '[]' OR jsonb_exists(api_roles, session_user::text)
    ) THEN
        RAISE EXCEPTION 'role % may not append %: approvals are for the API server',
            session_user, NEW.action USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- The owner restores and repairs, and could take the trigger away.
    IF is_owner THEN
        RETURN NEW;
    END IF;
    SELECT seq, digest INTO last FROM mlops.ledger ORDER BY seq DESC LIMIT 1;
    IF NEW.seq <> coalesce(last.seq, 0) + 1
        OR NEW.prev_digest <> coalesce(last.digest, repeat('0', 64)) THEN
        RAISE EXCEPTION 'entry % does not follow entry %', NEW.seq, coalesce(last.seq, 0)
            USING ERRCODE = 'check_violation';
    END IF;
    content := '[' || NEW.seq || ',"'
        || to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00",'
        || to_json(NEW.actor) || ',' || to_json(NEW.action) || ',' || to_json(NEW.subject) || ','
        || to_json(NEW.payload) || ',' || to_json(NEW.prev_digest) || ']';
    IF NEW.digest <> encode(sha256(convert_to(content, 'UTF8')), 'hex')
        OR json_typeof(NEW.payload::json) <> 'object' THEN
        RAISE EXCEPTION 'entry % does not have the digest of its content', NEW.seq
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$
"""
# Roles that add facts already, so that an upgrade that names none breaks no task. They keep what
# they need and lose the right to choose the numbers that the database gives.
_RIGHTS = """
DO $$
DECLARE
    role name;
    numbered name;
    columns text;
BEGIN
    FOR role IN
        SELECT DISTINCT grantee.rolname
        FROM pg_class AS fact, aclexplode(fact.relacl) AS allowed, pg_roles AS grantee
        WHERE fact.oid = 'mlops.notice'::regclass AND fact.relowner <> allowed.grantee
            AND allowed.privilege_type = 'INSERT' AND grantee.oid = allowed.grantee
    LOOP
        EXECUTE format('GRANT SELECT ON mlops.ledger_guard TO %I', role);
        EXECUTE format('GRANT EXECUTE ON FUNCTION mlops.lock_ledger() TO %I', role);
        FOR numbered, columns IN
            SELECT c.table_name, string_agg(quote_ident(c.column_name), ', ')
            FROM information_schema.columns AS c
            WHERE c.table_schema = 'mlops' AND c.is_identity = 'NO' AND c.table_name IN (
                SELECT table_name FROM information_schema.columns
                WHERE table_schema = 'mlops' AND is_identity = 'YES'
            )
            GROUP BY c.table_name
        LOOP
            EXECUTE format('REVOKE INSERT ON mlops.%I FROM %I', numbered, role);
            EXECUTE format('GRANT INSERT (%s) ON mlops.%I TO %I', columns, numbered, role);
        END LOOP;
    END LOOP;
END $$
"""


def upgrade() -> None:
    op.create_table(
        "ledger_guard",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("api_roles", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_guard")),
        schema="mlops",
    )
    op.execute("INSERT INTO mlops.ledger_guard VALUES (1, '[]')")
    op.execute(_LOCK)
    op.execute("REVOKE ALL ON FUNCTION mlops.lock_ledger() FROM PUBLIC")
    op.execute(_CHECK)
    op.execute(
        """
        CREATE TRIGGER check_entry BEFORE INSERT ON mlops.ledger
        FOR EACH ROW EXECUTE FUNCTION mlops.check_ledger_entry()
        """
    )
    op.execute(_RIGHTS)
