"""One bucket of an object store, with errors for people."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from intarsia.errors import DataError, UsageError, require
from intarsia.jobs.stores.address import Address

_RETRIES = 10
_PAUSE = timedelta(seconds=0.1)  # before the first of them, about; each later one waits twice as long
_CHUNK = 8 << 20  # bytes that are fetched at a time
LARGEST = 5 << 30
"""Bytes of the largest object that is put at once, as S3 has it: only so can it be put on a condition."""
# What tells where credentials are; without any, only the machine itself may have some (a role of the cloud).
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_SKIP_SIGNATURE",
)  # fmt: skip
_REASONS = (
    ("NoSuchBucket", "there is no bucket {bucket}; check its name, and AWS_ENDPOINT_URL where it is not at AWS"),
    ("incorrectly configured region", "the bucket {bucket} lies in another region; set AWS_REGION to its own"),
    ("AuthorizationHeaderMalformed", "the bucket {bucket} lies in another region; set AWS_REGION to its own"),
    ("invalid path", "a key below it is no path ({said}); rename that object, or name a deeper prefix"),
    ("latest/api/token", "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and "
     "AWS_SESSION_TOKEN), or AWS_SKIP_SIGNATURE=true for a public bucket"),
    ("InvalidAccessKeyId", "the store does not know the credentials; check AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL"),
    ("SignatureDoesNotMatch", "the store does not accept the credentials; check AWS_SECRET_ACCESS_KEY"),
    ("ExpiredToken", "the credentials have expired; get new ones, and run the job again"),
    ("403 Forbidden", "permission denied; the credentials need the rights to list, read, write and delete there"),
    ("401 Unauthorized", "permission denied; the credentials need the rights to list, read, write and delete there"),
    ("429 Too Many", "the store asks for fewer requests, for minutes; run the job again, with fewer workers"),
    ("503 Service", "the store asks for fewer requests, for minutes; run the job again, with fewer workers"),
    ("404 Not Found", "there is no such object; was it moved while it was needed?"),
    ("error sending request", "the store cannot be reached; check the network and AWS_ENDPOINT_URL, and try again"),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """An object by its listing.

    Attributes:
        name: below the store's prefix.
        seen: see `Address.seen`.
        changed: when it was last written, in seconds since 1970, by the store's clock.
        tag: of its contents, as conditions name it.
    """

    name: str
    seen: list[int]
    changed: float
    tag: str


class Store:
    """What lies below one address. What the store refuses for a moment is asked for again for up to three minutes.

    Args:
        address: that all names start from.

    Attributes:
        address: the same.

    Raises:
        UsageError: the library is not installed.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._obstore: Any = require("obstore", "scale")
        self._bucket = _connected(address.bucket)

    def list(self, name: str = "") -> Iterator[Found]:
        """Go through all objects below a name, those of the prefix itself if there is none.

        Raises:
            DataError: the store cannot be listed.
        """
        prefix = self._key(name) or None
        skipped = len(self.address.key) + 1 if self.address.key else 0
        with self._told(name):
            for page in self._obstore.list(self._bucket, prefix):
                yield from (_found(one["path"][skipped:], one) for one in page)

    def head(self, name: str) -> Found | None:
        """Look at an object; None where there is none.

        Raises:
            DataError: the store cannot be asked.
        """
        with self._told(name):
            try:
                return _found(name, self._obstore.head(self._bucket, self._key(name)))
            except FileNotFoundError as error:
                _require_bucket(error)
                return None

    def read(self, name: str) -> tuple[bytes, Found] | None:
        """Read a small object; None where there is none.

        Raises:
            DataError: the store cannot be read.
        """
        with self._told(name):
            try:
                got = self._obstore.get(self._bucket, self._key(name))
                return bytes(got.bytes()), _found(name, got.meta)
            except FileNotFoundError as error:
                _require_bucket(error)
                return None

    def fetch(self, name: str, target: Path) -> Found | None:
        """Copy an object into a file, a piece at a time; None where there is none.

        Raises:
            DataError: the store cannot be read, or the object does not fit on the disk.
        """
        with self._told(name):
            try:
                got = self._obstore.get(self._bucket, self._key(name))
            except FileNotFoundError as error:
                _require_bucket(error)
                return None
            _require_space(target.parent, got.meta["size"], self.address / name)
            with target.open("wb") as file:
                for piece in got.stream(min_chunk_size=_CHUNK):
                    file.write(piece)
            return _found(name, got.meta)

    def create(self, name: str, contents: bytes | Path) -> bool:
        """Put an object where there is none; False where there is one, perhaps by an earlier try of this very call.

        Raises:
            DataError: the store cannot be written, or the object is too large.
        """
        with self._told(name):
            try:
                self._put(name, contents, "create")
            except self._obstore.exceptions.AlreadyExistsError:
                return False
            return True

    def replace(self, name: str, contents: bytes | Path, tag: str | None = None) -> bool:
        """Put an object in the place of another.

        Args:
            name: of both.
            contents: of the new one.
            tag: of the old one; None: whatever it is.

        Returns:
            Whether the old one was still the one of the tag.

        Raises:
            DataError: the store cannot be written, or the object is too large.
        """
        with self._told(name):
            try:
                self._put(name, contents, "overwrite" if tag is None else {"e_tag": tag})
            except (self._obstore.exceptions.PreconditionError, FileNotFoundError) as error:
                _require_bucket(error)
                return False
            return True

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects that may be there.

        Raises:
            DataError: the store cannot be written.
        """
        keys = [self._key(name) for name in names]
        if keys:
            with self._told(""):
                self._obstore.delete(self._bucket, keys)

    def _put(self, name: str, contents: bytes | Path, mode: str | dict[str, str]) -> None:
        size = len(contents) if isinstance(contents, bytes) else contents.stat().st_size
        if size > LARGEST:
            raise DataError(
                f"cannot write {self.address / name}: it has {size / (1 << 30):.1f} GiB, and stores take at most "
                f"{LARGEST >> 30} at once; name a folder for the results, and copy them"
            )
        self._obstore.put(self._bucket, self._key(name), contents, mode=mode, use_multipart=False)

    def _key(self, name: str) -> str:
        return f"{self.address.key}/{name}".strip("/")

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except (self._obstore.exceptions.BaseError, FileNotFoundError) as error:
            place = self.address / name if name else self.address
            raise DataError(f"{place}: {reason(str(error), self.address.bucket)}") from error


def reason(said: str, bucket: str) -> str:
    """Why a store refused something, and what to do, in words."""
    first = said.partition("\n")[0]
    for sign, told in _REASONS:
        if sign in said:
            return told.format(bucket=bucket, said=first)
    return first


@cache
def _connected(bucket: str) -> Any:
    """A bucket as the variables of the environment describe it (AWS_ENDPOINT_URL, AWS_REGION, credentials)."""
    store: Any = require("obstore.store", "scale")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise UsageError(f"AWS_ENDPOINT_URL is an address as in https://HOST:PORT, and not {endpoint!r}")
    options = {"allow_http": endpoint.startswith("http://"), "connect_timeout": "5 seconds"}
    retries = _RETRIES if any(map(os.environ.get, _CREDENTIALS)) else 1
    pauses = {"init_backoff": _PAUSE, "max_backoff": timedelta(seconds=15), "base": 2}
    retry = {"max_retries": retries, "retry_timeout": timedelta(minutes=3), "backoff": pauses}
    try:
        return store.S3Store(bucket, client_options=options, retry_config=retry)
    except Exception as error:  # of each kind of variable another one
        raise UsageError(f"s3://{bucket}: {str(error).partition(chr(10))[0]}") from error


def _found(name: str, meta: Any) -> Found:
    changed, tag = meta["last_modified"].timestamp(), meta["e_tag"] or ""
    # Listings tell fractions of a second, answers do not.
    return Found(name, [meta["size"], int(changed) * 1_000_000_000, zlib.crc32(tag.encode())], changed, tag)


def _require_bucket(error: Exception) -> None:
    """Raise what a store says of an object that is not there, if it is its bucket that is not."""
    if "NoSuchBucket" in str(error):
        raise error


def _require_space(folder: Path, size: int, address: Address) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"{address} has {size / 1e9:.1f} GB, and {folder} has room for {free / 1e9:.1f}; set TMPDIR to a folder "
            "with more"
        )
