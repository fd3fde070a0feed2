"""Running a server: its socket, its signals, its log."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from intarsia.errors import DataError
from intarsia.files import reason
from intarsia.serving.settings import Settings
from intarsia.serving.uploads import PATIENCE

_BACKLOG = 256  # connections that wait to be taken
GRACE = 20
"""Seconds in which what is in work when the server is told to end may be finished."""


class Patient(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """A connection that ends when for `PATIENCE` no request comes, whole headers and all.

    uvicorn itself waits without end for the headers of a request, so that a few idle clients would take every
    connection that the system lets a process have.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._look = self.loop.call_later(PATIENCE, self._end_if_idle, None)

    def connection_lost(self, error: Exception | None) -> None:
        """Wait no more."""
        self._look.cancel()
        super().connection_lost(error)

    def _end_if_idle(self, seen: object) -> None:
        """End it if no request has come since the last look; `seen`: the latest one then, itself if it was busy."""
        is_idle = self.cycle is None or self.cycle.response_complete
        if is_idle and self.cycle is seen:
            self.transport.close()
            return
        self._look = self.loop.call_later(PATIENCE, self._end_if_idle, self.cycle if is_idle else self)


class Server(uvicorn.Server):
    """A server that tells when it listens, and that drains when it is told to end.

    Args:
        config: of uvicorn.
        app: that it serves.
        listening: called once it listens.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._app, self._listening = app, listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self.started:
            self._listening()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Send new requests away, finish those in work, then end; a second signal ends at once."""
        self._app.state.engine.draining = True
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Answer Ctrl-C and SIGTERM alike, which are the ways to end a server and no failure."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def listen(settings: Settings) -> socket.socket:
    """Take the address of a server.

    Raises:
        DataError: it is taken, or is none of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    found = socket.socket(family)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((settings.host, settings.port))
        found.listen(_BACKLOG)  # who comes before the server is up waits, instead of being refused
    except OSError as error:
        found.close()
        raise DataError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or reason(error)}; choose another port "
            "(--port 0 takes any free one)"
        ) from error
    return found


def address(found: socket.socket) -> str:
    """The URL of a socket."""
    host, port = found.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def run(app: FastAPI, found: socket.socket, listening: Callable[[], None]) -> None:
    """Serve an application on a socket until a signal comes."""
    logging.getLogger("intarsia.serving").setLevel(logging.INFO)
    config: dict[str, Any] = {
        "log_config": None, "access_log": False, "server_header": False, "timeout_graceful_shutdown": GRACE,
        "lifespan": "on", "ws": "none", "proxy_headers": False, "http": Patient,
        # Clients and proxies use connections again for longer than uvicorn's 5 s, and get a reset at the wrong moment.
        "timeout_keep_alive": int(PATIENCE),
    }  # fmt: skip
    Server(uvicorn.Config(app, **config), app, listening).run(sockets=[found])
