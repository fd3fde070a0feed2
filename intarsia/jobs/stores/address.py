"""Addresses in object stores: ``s3://BUCKET/PREFIX/NAME``."""

from __future__ import annotations

import os
import re
from typing import Self, TypeGuard

from intarsia.errors import UsageError

# Paths have lost one of the slashes already.
_SAID = re.compile(r"s3:/{1,2}(?P<bucket>[^/]+)(?:/(?P<key>.*))?", re.IGNORECASE | re.DOTALL)


class Address(str):
    """The address of an object, or of all whose keys begin with it.

    Attributes:
        bucket: what holds it.
        key: its name in there, without slashes at the ends; "" of the bucket itself.
        seen: size in bytes, time of change in nanoseconds and a number of its contents, where a listing told them.
    """

    bucket: str
    key: str
    seen: list[int] | None

    def __new__(cls, said: str | os.PathLike[str], seen: list[int] | None = None) -> Self:
        """Read an address.

        Raises:
            UsageError: it names no bucket.
        """
        found = _SAID.fullmatch(os.fspath(said))
        if found is None:
            raise UsageError(f"{os.fspath(said)} names no bucket; write s3://BUCKET/PREFIX")
        bucket, key = found["bucket"], (found["key"] or "").strip("/")
        address = super().__new__(cls, f"s3://{bucket}/{key}".rstrip("/"))
        address.bucket, address.key, address.seen = bucket, key, seen
        return address

    def __truediv__(self, name: str) -> Address:
        """The address of something below."""
        return Address(f"{self}/{name}")


def is_address(name: object) -> TypeGuard[str | os.PathLike[str]]:
    """Tell whether a name is the address of an object store rather than a path."""
    return isinstance(name, str | os.PathLike) and re.match(r"s3:/", os.fspath(name), re.IGNORECASE) is not None
