"""Answers that come before a body was read, on connections that end with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from loops import finish
from starlette.testclient import TestClient
from starlette.types import Message, Scope


def told(client: TestClient, parts: Iterator[Message], headers: dict[str, str], version: str) -> list[Message]:
    """What the server answers to somebody from elsewhere, whom it refuses before it reads anything."""
    answers: list[Message] = []
    everything = {"host": "localhost", "origin": "http://evil.example", "content-length": "30", **headers}
    scope: Scope = {
        "type": "http", "method": "POST", "path": "/v1/segment", "query_string": b"", "http_version": version,
        "headers": [(name.encode(), value.encode()) for name, value in everything.items()],
    }  # fmt: skip

    async def receive() -> Message:
        return next(parts)

    async def send(message: Message) -> None:
        answers.append({**message, "left": len(list(parts)) if message["type"] == "http.response.start" else 0})

    app: Any = client.app
    finish(app(scope, receive, send))
    return answers


@pytest.mark.parametrize(
    ("headers", "version", "left"),
    [
        ({"connection": "close"}, "1.1", 0),
        ({}, "1.0", 0),  # as a proxy asks
        ({}, "1.1", 3),  # the connection goes on, and the server forgets what comes
        ({"connection": "close", "expect": "100-continue"}, "1.1", 3),  # nothing was sent yet
        ({"connection": "close", "content-length": "0"}, "1.1", 3),
    ],
)
def test_a_body_is_received_before_its_connection_ends(
    client: TestClient, headers: dict[str, str], version: str, left: int
) -> None:
    parts = ({"type": "http.request", "body": bytes(10), "more_body": rest > 0} for rest in (2, 1, 0))
    start, *_ = told(client, parts, headers, version)
    assert (start["status"], start["left"]) == (403, left)


def test_a_client_that_leaves_meanwhile_is_not_waited_for(client: TestClient) -> None:
    parts: Iterator[Message] = iter(
        [{"type": "http.request", "body": b"", "more_body": True}, {"type": "http.disconnect"}]
    )
    assert told(client, parts, {"connection": "close"}, "1.1")[0]["status"] == 403
