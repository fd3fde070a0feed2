"""Guard: what every request passes, whatever it asks for."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import re
import time
import uuid
from typing import Any
from urllib.parse import quote

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intarsia.serving.budget import Budget, Held
from intarsia.serving.jsonsize import weight
from intarsia.serving.problems import BAD_REQUEST, CLIENT_GONE, TOO_LARGE, UNAUTHORIZED, Problem, answer, problem_of
from intarsia.serving.settings import Settings
from intarsia.serving.unread import Body

logger = logging.getLogger("intarsia.serving")

POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; worker-src 'self' blob:; "
    "connect-src 'self'; style-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
"""Content Security Policy: nothing comes from elsewhere, and nobody frames the studio."""

OPEN = frozenset({"/healthz", "/readyz", "/version", "/", "/docs", "/openapi.json"})
"""Paths that need no key; neither do the studio's own files, which hold no data."""

JOBS = "/v1/jobs"
"""Where jobs are posted; its answers may be as large as a disk, or without end, and know HEAD themselves."""

_FILES = frozenset({JOBS, "/v1/convert"})  # where JSON is a file, which they judge themselves
_BINARY = "inference-header-content-length"  # of the Open Inference Protocol: only so much of a body is JSON

_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]", "testserver"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PLAIN_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)


class Guard:
    """Checks key, host and origin, names requests, counts and logs them, and lets every error leave as a problem.

    Args:
        app: what is guarded.
        settings: of the server.
        budget: of what all requests may hold.
        registry: of the metrics.
    """

    def __init__(self, app: ASGIApp, settings: Settings, budget: Budget, registry: CollectorRegistry) -> None:
        self._app, self._settings, self._budget = app, settings, budget
        self._requests = Counter("intarsia_requests", "Answered requests", ["route", "status"], registry=registry)
        self._seconds = Histogram("intarsia_request_seconds", "From request to answer", ["route"], registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, start, method = Headers(scope=scope), time.perf_counter(), scope["method"]
        if method == "HEAD" and not scope["path"].startswith(JOBS):
            scope = {**scope, "method": "GET"}  # the server that speaks HTTP sends no body after it
        said = headers.get("x-request-id", "")
        scope["request_id"] = said if _PLAIN_ID.fullmatch(said) else uuid.uuid4().hex
        status, body = 0, Body(scope, headers, receive)

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                await body.throw_away()
                status = message["status"]
                _add_headers(MutableHeaders(scope=message), scope)
            elif method == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            refusal = self._refusal(scope, headers)
            if refusal is not None:
                await answer(Request(scope), refusal)(scope, receive, told)
            else:
                with Held(self._budget, scope) as held:
                    await self._app(scope, self._within(scope, headers, body.receive, held), told)
        except Exception as error:
            problem = problem_of(error)
            if problem.status >= 500:
                logger.exception("%s %s failed", scope["method"], quote(scope["path"]))
            if not status:
                await answer(Request(scope), problem)(scope, receive, told)
        finally:
            self._count({**scope, "method": method}, status or CLIENT_GONE, time.perf_counter() - start)

    def _refusal(self, scope: Scope, headers: Headers) -> Problem | None:
        """Why a request is not served."""
        length, most = headers.get("content-length", ""), self._most(scope)
        if length.isdecimal() and int(length) > most:
            return self._too_large(most)
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        if self._settings.is_local and name.lower() not in _LOCAL:
            return Problem(BAD_REQUEST, f"this server answers to localhost alone, and was called {host!r}")
        origin = headers.get("origin")
        if scope["method"] not in _SAFE and origin is not None and origin.partition("://")[2] != host:
            return Problem(403, f"pages of {origin} may not use this server")
        key = self._settings.api_key
        path: str = scope["path"]
        if key is None or path in OPEN or path.startswith("/studio/"):
            return None
        if hmac.compare_digest(_key(headers), key.get_secret_value().encode()):
            return None
        return Problem(
            UNAUTHORIZED, "this server wants a key: send Authorization: Bearer KEY, or X-API-Key: KEY",
            headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip

    def _most(self, scope: Scope) -> int:
        """The bytes that a body may have: those of jobs go to disk, all others into memory."""
        return self._settings.max_job_bytes if scope["path"] == JOBS else self._settings.max_bytes

    def _within(self, scope: Scope, headers: Headers, receive: Receive, held: Held) -> Receive:
        """Receive no more than a body may have, whatever its header says, and than is free for all bodies.

        JSON counts with what it takes when it is read, many times its bytes, before anything of it is.
        """
        got = values = 0
        most, most_held = self._most(scope), self._settings.max_held
        is_json = _is_json(scope["path"], headers)

        async def limited() -> Message:
            nonlocal got, values
            message = await receive()
            body = message.get("body", b"")
            got += len(body)
            if got > most:
                raise self._too_large(most)
            if is_json:
                values += weight(body)
                if values > most_held:
                    raise Problem(
                        TOO_LARGE,
                        f"the body is JSON of so many values that reading it takes more than {most_held:,} bytes of "
                        "memory; send less, or raise --max-held",
                    )
                held.take(weight(body))
            if scope["path"] != JOBS:
                held.take(len(body))
            return message

        return limited

    def _too_large(self, most: int) -> Problem:
        option = "--max-bytes" if most == self._settings.max_bytes else "--max-job-bytes"
        return Problem(TOO_LARGE, f"the body has more than {most:,} bytes; send less, or raise {option}")

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        line: dict[str, Any] = {
            "method": scope["method"], "path": scope["path"], "status": status,
            "milliseconds": round(1000 * seconds, 1), "request_id": scope["request_id"],
        }  # fmt: skip
        if self._settings.log_json:
            logger.info(json.dumps(line))
        else:
            logger.info("%(method)s %(path)s %(status)s %(milliseconds)s ms", line | {"path": quote(scope["path"])})


def _is_json(path: str, headers: Headers) -> bool:
    """Whether a body is read as JSON; the routes of other programs do so whatever its content type."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if path.startswith("/ls/"):
        return kind != "multipart/form-data"
    if path.startswith("/v2/"):
        return _BINARY not in headers
    return kind.endswith("json") and path not in _FILES


def _key(headers: Headers) -> bytes:
    """The bytes of the key that a client sends: a bearer's token, X-API-Key, or the password of the basic scheme."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip().encode("latin-1")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).partition(b":")[2]
        except ValueError:
            return b""
    return headers.get("x-api-key", "").encode("latin-1")


def _add_headers(headers: MutableHeaders, scope: Scope) -> None:
    headers["X-Request-Id"] = scope["request_id"]
    headers["Content-Security-Policy"] = POLICY
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers.setdefault("Cache-Control", "no-store")
