"""A lineage server on the loopback interface that fails as real ones do, and recovers."""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from types import TracebackType
from typing import Any

LOOPBACK = "127.0.0.1"


class Mode(Enum):
    """What the server does with the next request."""

    HEALTHY = "keeps the event and answers 201"
    ERROR = "answers 500"
    BAD_REQUEST = "answers 400, as Marquez to an event that it cannot read"
    HANG = "reads the request and never answers"
    DEAF = "takes the connection and never reads the body"
    TRICKLE = "answers a byte at a time, for ever"
    DROP = "closes the connection without an answer; the event is lost"
    AFTERWARDS = "keeps the event, then closes the connection without an answer"
    HALF = "keeps the event, then closes the connection in the middle of the answer"


class FaultyServer:
    """Listens from :meth:`__enter__` on; its port stays the same while it refuses connections.

    :ivar mode: what happens to each request; may be set at any time.
    :ivar status: that a healthy server answers with instead of 201; it keeps nothing then.
    :ivar answer: the body of a healthy server's answer.
    :ivar kept: the bodies that were kept, in the order in which they came, doubles included.
    :ivar requests: method, path and headers of each request that was read.
    """

    def __init__(self, mode: Mode = Mode.HEALTHY) -> None:
        self.mode = mode
        self.status: int | None = None
        self.answer = b'{"ok": true}'
        self.kept: list[bytes] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self._first: deque[Mode] = deque()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._placeholder: socket.socket | None = None
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Of the server, without ``/api/v1``."""
        return f"http://{LOOPBACK}:{self._port}"

    def first(self, *modes: Mode) -> None:
        """What happens to the next requests, one mode for each; then :attr:`mode` again."""
        with self._lock:
            self._first.extend(modes)

    def refuse(self) -> None:
        """Stop listening: connections are refused. Nobody else can take the port meanwhile."""
        self._end()
        held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((LOOPBACK, self._port))
        self._placeholder = held

    def heal(self) -> None:
        """Listen, and answer 201 to all that comes."""
        with self._lock:
            self._first.clear()
        self.mode = Mode.HEALTHY
        self.status = None
        if self._server is None:
            self._begin()

    def next_mode(self) -> Mode:
        """For the handler: what to do with the request that has come."""
        with self._lock:
            return self._first.popleft() if self._first else self.mode

    def wait_until_over(self, seconds: float) -> bool:
        """For the handler: wait, and say whether the server ends."""
        return self._over.wait(seconds)

    def __enter__(self) -> FaultyServer:
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        if self._placeholder is not None:
            self._placeholder.close()

    def _begin(self) -> None:
        if self._placeholder is not None:
            self._placeholder.close()
            self._placeholder = None
        self._over.clear()
        server = _Server((LOOPBACK, self._port), _Handler)
        server.faulty = self
        self._port = server.server_address[1]
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def _end(self) -> None:
        if self._server is None or self._thread is None:
            return
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server = None


class _Server(ThreadingHTTPServer):
    faulty: FaultyServer
    daemon_threads = False

    def server_bind(self) -> None:
        """Without the look-up of the machine's full name, which may be slow."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is what many a test is about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as inherited
        """Say nothing."""

    def _serve(self) -> None:
        faulty = self.server.faulty
        # A kept-alive connection would outlive a server that begins to refuse.
        self.close_connection = True
        faulty.requests.append((self.command, self.path, dict(self.headers.items())))
        mode = faulty.next_mode()
        body = b"" if mode is Mode.DEAF else self._body()
        if mode in (Mode.HEALTHY, Mode.AFTERWARDS, Mode.HALF) and faulty.status is None:
            faulty.kept.append(body)
        if mode in (Mode.HANG, Mode.DEAF):
            while not faulty.wait_until_over(0.5):
                continue
        elif mode is Mode.TRICKLE:
            self._trickle()
        elif mode is Mode.HALF:
            self._send(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nhalf")
        elif mode in (Mode.HEALTHY, Mode.ERROR, Mode.BAD_REQUEST):
            self._answer(mode)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, mode: Mode) -> None:
        faulty = self.server.faulty
        healthy = faulty.status or (201 if self.command == "POST" else 200)
        status = {Mode.ERROR: 500, Mode.BAD_REQUEST: 400}.get(mode, healthy)
        answer = {Mode.ERROR: b"broken", Mode.BAD_REQUEST: b"no event"}.get(mode, faulty.answer)
        head = f"HTTP/1.1 {status} .\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n"
        self._send(head.encode() + answer)

    def _trickle(self) -> None:
        head = b"HTTP/1.1 201 Created\r\nX-Slow: "
        for byte in head:
            self._send(bytes([byte]))
        end = time.monotonic() + 60
        while not self.server.faulty.wait_until_over(0.02) and time.monotonic() < end:
            self._send(b"x")

    def _send(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()
