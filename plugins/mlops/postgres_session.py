"""What every session with Postgres has in common, of the store and of a warehouse.

A server, a database and a role may each have other defaults for what a name refers to, what a value
means or looks like, and how long a statement may take. So each transaction begins with
:attr:`SessionSettings.begin`, which sets all of these for as long as the transaction lasts. Nothing
is set when a connection starts and no lock outlives a transaction, since a connection pooler such
as PgBouncer keeps neither.

A platform chooses its own time limits, and the search path of the SQL that people write, in the
``options`` of a connection: ``{"options": "-c statement_timeout=10min -c search_path=sales"}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from mlops.postgres_url import libpq_parameters, postgres_url

OUR_SEARCH_PATH = "pg_catalog, pg_temp"
# The default of the role or the database. Postgres searches pg_catalog first where a path does not
# name it; temporary tables come last, so that none takes the place of another table.
_DEFAULT_PATH = """\
SELECT set_config('search_path', coalesce(nullif(reset_val, '') || ', ', '') || 'pg_temp', true)
FROM pg_settings WHERE name = 'search_path'"""

# Time limits: a connection's options may choose others. None is without an end.
_LIMITS = {
    "statement_timeout": "6h",
    "lock_timeout": "5min",
    "idle_in_transaction_session_timeout": "6h",
}
# What a value means and looks like. Each is one that any role may set.
_MEANINGS = {
    "TimeZone": "UTC",
    "timezone_abbreviations": "Default",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "xmloption": "content",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "array_nulls": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "default_text_search_config": "pg_catalog.simple",
    "row_security": "on",
    "synchronize_seqscans": "off",
    "gin_fuzzy_search_limit": "0",
}
# Newer than the oldest Postgres that is supported.
_LATER = {"transaction_timeout": "0"}
_PINNED = {"search_path", *map(str.lower, _MEANINGS)}

_SECRETS = ("password", "sslpassword", "oauth_client_secret")
_HIDDEN = "***"
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_WORD = re.compile(r"(?:\\.|[^\s\\])+", re.DOTALL)
_SHORT = 3


@dataclass(frozen=True)
class SessionSettings:
    """The settings of a connection's transactions.

    :ivar chosen: what the connection's ``options`` set, by lower-case name.
    """

    chosen: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def begin(self) -> str:
        """The statements that a transaction begins with; each ends with it."""
        free = {name: value for name, value in self.chosen.items() if name not in _PINNED}
        # The path comes first: until then a name may have any meaning.
        settings = {
            "search_path": OUR_SEARCH_PATH,
            **_MEANINGS,
            **{name: value for name, value in _LIMITS.items() if name not in free},
            **free,
        }
        later = [
            f"SELECT set_config(name, {_literal(value)}, true) FROM pg_settings "
            f"WHERE name = {_literal(name)}"
            for name, value in _LATER.items()
            if name not in free
        ]
        return ";\n".join([*(_set_config(*item) for item in settings.items()), *later])

    @property
    def use_search_path(self) -> str:
        """The statement after which names are looked up as the SQL that people write wants it.

        That is the path of the connection's options, or else the default of its role.
        """
        path = self.chosen.get("search_path", "").strip()
        return _set_config("search_path", f"{path}, pg_temp") if path else _DEFAULT_PATH

    @property
    def leave_search_path(self) -> str:
        """The statement after which our own statements may run again."""
        return _set_config("search_path", OUR_SEARCH_PATH)

    def limit(self, setting: str) -> str:
        """A time limit as it is set."""
        return self.chosen.get(setting, {**_LIMITS, **_LATER}.get(setting, "0"))


@dataclass(frozen=True)
class Endpoint:
    """Where a session is opened, and with which settings.

    :ivar parameters: libpq's keywords, without settings.
    """

    parameters: Mapping[str, Any] = field(repr=False)
    settings: SessionSettings

    @classmethod
    def of(cls, url: str) -> Endpoint:
        """Read any URL or connection string that libpq reads.

        :raises ValueError: libpq cannot read it; the error does not show it.
        """
        parameters = libpq_parameters(url)
        chosen, rest = read_options(str(parameters.pop("options", "")))
        if rest:
            parameters["options"] = rest
        # A driver reads names of the catalog before its first transaction.
        parameters["client_encoding"] = "UTF8"
        parameters.setdefault("connect_timeout", "10")
        return cls(MappingProxyType(parameters), SessionSettings(MappingProxyType(chosen)))

    @property
    def url(self) -> str:
        """All of it as one URL, for a driver that takes nothing else."""
        return postgres_url(self.parameters)

    @property
    def place(self) -> str:
        """``host:port/database``, without user and password."""
        found = self.parameters
        host, port = found.get("host", "localhost"), found.get("port", "5432")
        return self.scrub(f"{host}:{port}/{found.get('dbname', '')}")

    def scrub(self, text: str) -> str:
        """A driver's message without the secrets of the connection."""
        for name in _SECRETS:
            secret = str(self.parameters.get(name) or "")
            # libpq may show a part of a URL that it could not read.
            for spelled in {secret, quote(secret, safe=""), quote(secret)} - {""}:
                if len(spelled) >= _SHORT:
                    text = text.replace(spelled, _HIDDEN)
                else:
                    text = re.sub(rf"(?<!\w){re.escape(spelled)}(?!\w)", _HIDDEN, text)
        return text


def read_options(text: str) -> tuple[dict[str, str], str]:
    """Read a server's command line: the settings by lower-case name, and what is left of it.

    A blank separates, and a backslash takes the meaning of the next character away.
    """
    words = [_ESCAPED.sub(r"\1", word) for word in _WORD.findall(text)]
    settings: dict[str, str] = {}
    rest: list[str] = []
    while words:
        word = words.pop(0)
        if word == "-c" and words:
            given = words.pop(0)
        elif word.startswith(("-c", "--")):
            given = word[2:]
        else:
            rest.append(word)
            continue
        name, _, value = given.partition("=")
        settings[name.strip().replace("-", "_").lower()] = value
    return settings, " ".join(re.sub(r"([\\\s])", r"\\\1", word) for word in rest)


def _set_config(name: str, value: str) -> str:
    return f"SELECT pg_catalog.set_config({_literal(name)}, {_literal(value)}, true)"


def _literal(text: str) -> str:
    """A text as SQL reads it whatever ``standard_conforming_strings`` is."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'" if "\\" in text else f"'{escaped}'"
