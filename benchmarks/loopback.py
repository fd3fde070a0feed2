"""A small HTTP server on the loopback, in threads of this process: what stores for trials have in common."""

from __future__ import annotations

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Loopback:
    """Serves by a handler's class until it is left; `Handler.store` is the instance.

    Attributes:
        handler: what answers requests; to be named by the class that is served.
    """

    handler: type[Handler]

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (self.handler,), {"store": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers requests without a word on the terminal, and bears clients that are killed."""

    store: Any
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer in one piece, which nobody waits to acknowledge

    def handle(self) -> None:
        """Answer one client."""
        with suppress(ConnectionError):  # of who was killed
            super().handle()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def body(self) -> bytes:
        """Read what came with the request."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, headers: dict[str, str], body: bytes, length: str | None = None) -> None:
        """Send an answer; `length` is told where a HEAD's body is not at hand."""
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body)
