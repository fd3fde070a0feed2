"""What of a body nobody read: thrown away where the connection would else be cut before the client reads the answer."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

_PATIENCE = 10.0  # seconds for what is left of a body


class Body:
    """The body of a request, and whether all of it was received.

    A server that ends a connection with bytes unread resets it, and the client, which still sends, loses the answer: a
    refusal that tells the fix reads as "connection reset". Connections that go on are no matter, as the server reads
    and forgets what comes.

    Args:
        scope: of the request.
        headers: of the request.
        receive: gives the parts of the body.
    """

    def __init__(self, scope: Scope, headers: Headers, receive: Receive) -> None:
        self._receive = receive
        closes = headers.get("connection", "").lower() == "close" or scope["http_version"] == "1.0"
        sends = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        self._cut = closes and sends and "expect" not in headers  # who expects to be asked has not begun to send

    async def receive(self) -> Message:
        """Receive the next part."""
        message = await self._receive()
        if not message.get("more_body", False):
            self._cut = False
        return message

    async def throw_away(self) -> None:
        """Receive what is left, where the client loses the answer otherwise; not for longer than some seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while self._cut:
                    await self.receive()
