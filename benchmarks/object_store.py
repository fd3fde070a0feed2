"""An object store on the loopback that speaks as much of S3 as jobs need, with faults on demand."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from loopback import Handler, Loopback

KEY, SECRET, REGION = "AKIATEST", "secret", "eu-north-1"
Fault = Callable[[str, str], int | None]


class S3(Loopback):
    """Buckets in memory, served until it is left.

    Args:
        buckets: their names.
        page: how many names a listing holds at most.

    Attributes:
        objects: (contents, time of change) by bucket and key.
        asked: method and key of every request.
        written: how often each key was put since it was last removed.
        fault: from method and key to the status of a refusal; None: what is asked for is done. A negative status: it is
            done, and the connection breaks before the answer.
    """

    def __init__(self, *buckets: str, page: int = 1000) -> None:
        self.objects: dict[str, dict[str, tuple[bytes, float]]] = {name: {} for name in buckets}
        self.page, self.asked, self.lock = page, list[tuple[str, str]](), threading.Lock()
        self.written: Counter[str] = Counter()
        self.fault: Fault = lambda method, key: None

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which programs find it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
        }  # fmt: skip

    def put(self, bucket: str, key: str, contents: bytes) -> None:
        """Store something."""
        self.objects[bucket][key] = contents, time.time()

    def files(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """All that lies below a prefix, by name."""
        return {
            key[len(prefix) :]: contents for key, (contents, _) in sorted(self.objects[bucket].copy().items())
            if key.startswith(prefix)
        }  # fmt: skip


def etag(contents: bytes) -> str:
    return f'"{hashlib.md5(contents).hexdigest()}"'


class _Handler(Handler):
    store: S3

    def do_GET(self) -> None:
        self._do(self._get)

    def do_HEAD(self) -> None:
        self._do(self._get)

    def do_PUT(self) -> None:
        self._do(self._put)

    def do_DELETE(self) -> None:
        self._do(self._delete)

    def do_POST(self) -> None:
        self._do(self._delete_many)

    def _do(self, what: Callable[[dict[str, tuple[bytes, float]], str, bytes], None]) -> None:
        url = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        bucket, _, key = unquote(url.path.lstrip("/")).partition("/")
        body = self.body()
        self.store.asked.append((self.command, key or self.query.get("prefix", "")))
        signed = re.search(r"Credential=(\w+)/\d+/([\w-]+)/s3", self.headers.get("Authorization", ""))
        status = self.store.fault(self.command, key)
        if status is not None and status > 0:
            self._refuse(status, "SlowDown")
        elif signed is None or signed[1] != KEY:
            self._refuse(403, "InvalidAccessKeyId" if signed else "AccessDenied")
        elif signed[2] != REGION:
            self._refuse(301, "PermanentRedirect")
        elif bucket not in self.store.objects:
            self._refuse(404, "NoSuchBucket")
        else:
            self._broken = status is not None
            with self.store.lock:
                what(self.store.objects[bucket], key, body)

    def _get(self, objects: dict[str, tuple[bytes, float]], key: str, body: bytes) -> None:
        if not key:
            return self._list(objects)
        if key not in objects:
            return self._refuse(404, "NoSuchKey")
        contents, changed = objects[key]
        headers = {"ETag": etag(contents), "Last-Modified": format_datetime(datetime.fromtimestamp(changed, UTC), True)}
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if found is None:
            return self._answer(200, contents, headers)
        first, last = int(found[1]), min(int(found[2] or len(contents)), len(contents) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(contents)}"
        return self._answer(206, contents[first : last + 1], headers)

    def _list(self, objects: dict[str, tuple[bytes, float]]) -> None:
        prefix, after = self.query.get("prefix", ""), self.query.get("continuation-token", "")
        after = after or self.query.get("start-after", "")
        names = sorted(key for key in objects if key.startswith(prefix) and key > after)
        page = names[: self.store.page]
        more = len(names) > len(page)
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(objects[key][0])}</Size><ETag>{etag(objects[key][0])}</ETag>"
            f"<LastModified>{datetime.fromtimestamp(objects[key][1], UTC).isoformat()}</LastModified></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        text = f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}</ListBucketResult>"
        self._answer(200, text.encode(), {"Content-Type": "application/xml"})

    def _put(self, objects: dict[str, tuple[bytes, float]], key: str, body: bytes) -> None:
        known = objects.get(key)
        if self.headers.get("If-None-Match") == "*" and known is not None:
            return self._refuse(412, "PreconditionFailed")
        wanted = self.headers.get("If-Match")
        if wanted is not None and (known is None or etag(known[0]) != wanted):
            return self._refuse(412 if known else 404, "PreconditionFailed" if known else "NoSuchKey")
        objects[key] = body, time.time()
        self.store.written[key] += 1
        return self._answer(200, b"", {"ETag": etag(body)})

    def _delete(self, objects: dict[str, tuple[bytes, float]], key: str, body: bytes) -> None:
        self._remove(objects, key)
        self._answer(204, b"", {})

    def _delete_many(self, objects: dict[str, tuple[bytes, float]], key: str, body: bytes) -> None:
        keys = [one.text or "" for one in ElementTree.fromstring(body).iter() if one.tag.endswith("Key")]
        for one in keys:
            self._remove(objects, one)
        gone = "".join(f"<Deleted><Key>{escape(one)}</Key></Deleted>" for one in keys)
        self._answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode(), {"Content-Type": "application/xml"})

    def _remove(self, objects: dict[str, tuple[bytes, float]], key: str) -> None:
        objects.pop(key, None)
        self.store.written.pop(key, None)

    def _refuse(self, status: int, code: str) -> None:
        self._broken = False
        body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        self._answer(status, body, {"Content-Type": "application/xml"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        if self._broken:
            self.close_connection = True
            return
        self.answer(status, headers, body)


S3.handler = _Handler
