"""Network connections of which a whole exchange has one time limit.

The time-outs of ``httpx`` begin again with every byte, so a server that trickles could hold a task
for hours. In ``httpcore``, which ``httpx`` is built on, each read and write can be given what is
left of the time.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore

PIECE_BYTES = 16 * 1024


class BoundedStream(httpcore.NetworkStream):
    """A connection whose reads and writes all end by the same moment.

    :param deadline: of ``time.monotonic()``; the time-outs that httpcore names are not asked.
    """

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """What has come, at most ``max_bytes``."""
        return self._inner.read(max_bytes, left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Send all of it, in pieces: a server that takes byte by byte is noticed between them."""
        for begin in range(0, len(buffer), PIECE_BYTES):
            self._inner.write(buffer[begin : begin + PIECE_BYTES], left(self._deadline))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """The same connection, encrypted."""
        inner = self._inner.start_tls(ssl_context, server_hostname, left(self._deadline))
        return BoundedStream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks about the socket."""
        return self._inner.get_extra_info(info)


class BoundedBackend(httpcore.NetworkBackend):
    """Makes the connections of one exchange, whose time begins now.

    :param seconds: for all of it: connection, request and the last byte of the answer.
    """

    def __init__(self, seconds: float) -> None:
        self._inner = httpcore.SyncBackend()
        self._deadline = time.monotonic() + seconds

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to a server."""
        inner = self._inner.connect_tcp(
            host, port, left(self._deadline), local_address, socket_options
        )
        return BoundedStream(inner, self._deadline)


def left(deadline: float) -> float:
    """Seconds until a moment of ``time.monotonic()``.

    :raises httpcore.TimeoutException: when it is over.
    """
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise httpcore.TimeoutException("the time for the whole exchange is over")
    return seconds
