"""Ports of the loopback interface."""

from __future__ import annotations

import os
import socket

from demo.errors import DemoError

LOOPBACK = "127.0.0.1"
HIGHEST_PORT = 65535


def free_port() -> int:
    """A port that the operating system has just found free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection that has just ended must not count as a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def require_free(port: int, *, user: str, variable: str) -> None:
    """Refuse to start ``user`` on a port that something else holds.

    :param variable: the environment variable that chooses another port.
    :raises DemoError: when the port is taken.
    """
    if not is_free(port):
        raise DemoError(
            f"{user} cannot listen on {LOOPBACK}:{port}",
            found="another program on that port",
            expected="a free port",
            action=f"end that program, or choose another port: {variable}=<port>",
        )


def port_from_environment(variable: str, default: int) -> int:
    """The port that an environment variable names, or the default when it is not set.

    :raises DemoError: when the variable is set to something that is not a port.
    """
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    if not text.isdecimal() or not 0 < int(text) <= HIGHEST_PORT:
        raise DemoError(
            f"environment variable {variable}",
            found=repr(text),
            expected=f"a port, 1 to {HIGHEST_PORT}",
            action=f"set it to a free port, or unset it for {default}",
        )
    return int(text)
