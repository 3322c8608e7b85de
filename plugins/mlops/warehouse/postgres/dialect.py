"""SQL as Postgres reads it."""

from __future__ import annotations

from datetime import datetime

from mlops.warehouse.dialect import Dialect


class PostgresDialect(Dialect):
    """Literals that mean the same under any setting of the server."""

    def text_literal(self, text: str) -> str:
        """Write a text as SQL, independent of the server's settings for backslashes.

        :raises QueryError: for a text with a zero byte, which Postgres cannot hold.
        """
        literal = super().text_literal(text)
        return "E" + literal.replace("\\", "\\\\") if "\\" in text else literal

    def moment_literal(self, moment: datetime) -> str:
        return f"'{moment.isoformat(sep=' ', timespec='microseconds')}'::timestamptz"


POSTGRES = PostgresDialect(name="postgres", title="Postgres", float_type="float8")
