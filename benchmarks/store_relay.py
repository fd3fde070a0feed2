"""A store that others wrote, behind a relay on the loopback that sees every request, and refuses or loses some."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from loopback import Handler, Loopback

Fault = Callable[[str, str], int | None]
_OWN = {"connection", "content-length", "keep-alive", "transfer-encoding"}  # of one connection alone


class Relay(Loopback):
    """What `object_store.S3` is, before a store that runs elsewhere: moto, MinIO, or any other on plain HTTP.

    Args:
        endpoint: of that store, as in http://127.0.0.1:5000.
        bucket: that it has.

    Attributes:
        written: how often the store took each key since it was last removed.
        fault: see `object_store.S3`.
    """

    def __init__(self, endpoint: str, bucket: str) -> None:
        import obstore
        from obstore.store import S3Store

        self.address = urlsplit(endpoint).netloc
        self.written: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.fault: Fault = lambda method, key: None
        self._obstore: Any = obstore
        usual = {"AWS_REGION": "eu-north-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        self._keys = {name: os.environ.get(name, value) for name, value in usual.items()}
        plain = {name.lower(): value for name, value in self._keys.items()} | {"aws_endpoint_url": endpoint}
        self._bucket: Any = S3Store(bucket, config=plain, client_options={"allow_http": True})

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which programs find it."""
        return {"AWS_ENDPOINT_URL": self.endpoint, **self._keys}

    def put(self, bucket: str, key: str, contents: bytes) -> None:
        """Store something, unseen by the relay."""
        self._obstore.put(self._bucket, key, contents)

    def files(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """All that lies below a prefix, by name."""
        keys = sorted(one["path"] for page in self._obstore.list(self._bucket, prefix or None) for one in page)
        found = {}
        for key in keys:
            with suppress(FileNotFoundError):  # it has been removed since
                found[key[len(prefix) :]] = bytes(self._obstore.get(self._bucket, key).bytes())
        return found


class _Handler(Handler):
    store: Relay

    def setup(self) -> None:
        super().setup()
        self._there = HTTPConnection(self.store.address, timeout=60)

    def finish(self) -> None:
        self._there.close()
        super().finish()

    def _do(self) -> None:
        body = self.body()
        key = unquote(urlsplit(self.path).path.lstrip("/")).partition("/")[2]
        status = self.store.fault(self.command, key)
        if status is not None and status > 0:
            refusal = b"<Error><Code>SlowDown</Code><Message>SlowDown</Message></Error>"
            return self.answer(status, {"Content-Type": "application/xml"}, refusal)
        # Signed as they are: the name that the client asked for goes on, too.
        self._there.request(self.command, self.path, body or None, dict(self.headers.items()))
        answer = self._there.getresponse()
        told = {name: value for name, value in answer.getheaders() if name.lower() not in _OWN}
        length, found = answer.getheader("Content-Length"), answer.read()
        if answer.status < 300:
            self._count(key, body)
        if status is not None:  # it is done, and nobody hears of it
            self.close_connection = True
            return None
        return self.answer(answer.status, told, found, length if self.command == "HEAD" else None)

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = _do

    def _count(self, key: str, body: bytes) -> None:
        with self.store.lock:
            if self.command == "PUT":
                self.store.written[key] += 1
            elif self.command == "DELETE":
                self.store.written.pop(key, None)
            elif self.command == "POST":
                for one in ElementTree.fromstring(body).iter():
                    if one.tag.endswith("Key"):
                        self.store.written.pop(one.text or "", None)


Relay.handler = _Handler
