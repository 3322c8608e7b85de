"""Between libpq's keywords and the one URL that psycopg, ADBC and SQLAlchemy are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

_IN_THE_PATH = ("user", "password", "host", "port", "dbname")


def postgres_url(parameters: Mapping[str, Any]) -> str:
    """The URL of some libpq keywords, each value percent-encoded.

    A socket folder or a list of hosts keeps its place before the port: libpq decodes it there.

    :param parameters: keyword to value; none and empty ones are left out.
    """
    given = {name: _text(value) for name, value in parameters.items() if value not in (None, "")}
    user = _encoded(given.get("user", ""))
    if "password" in given:
        user = f"{user}:{_encoded(given['password'])}"
    host = given.get("host", "")
    place = f"[{host}]" if ":" in host else _encoded(host)
    if "port" in given:
        place = f"{place}:{given['port']}"
    rest = "&".join(
        f"{_encoded(name)}={_encoded(value)}"
        for name, value in sorted(given.items())
        if name not in _IN_THE_PATH
    )
    url = f"postgresql://{f'{user}@' if user else ''}{place}/{_encoded(given.get('dbname', ''))}"
    return f"{url}?{rest}" if rest else url


def libpq_parameters(url: str) -> dict[str, Any]:
    """The keywords of any URL or connection string that libpq reads, and of SQLAlchemy's spelling.

    :raises ValueError: libpq cannot read it.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    scheme, mark, rest = url.partition("://")
    if mark and scheme.partition("+")[0] in ("postgres", "postgresql"):
        url = f"postgresql://{rest}"
    if not url:
        raise ValueError("it is empty")
    try:
        found = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise ValueError("libpq cannot read it") from error
    if not str(found.get("port", "0")).replace(",", "").isdecimal():
        raise ValueError("its port is not a number")
    return found


def _text(value: Any) -> str:
    """As libpq spells it; JSON's true and false are its 1 and 0."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _encoded(value: str) -> str:
    return quote(value, safe="")
