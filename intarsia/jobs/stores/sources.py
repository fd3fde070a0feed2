"""Sources in object stores: found by listing, and brought here one by one when their turn comes."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from intarsia.errors import DataError, UsageError, counted
from intarsia.jobs.stores.address import Address, is_address
from intarsia.jobs.stores.scratch import scratch
from intarsia.jobs.stores.store import Found, Store
from intarsia.media.medium import Item, Medium, Sources, families, medium_of

_SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,8}){1,2}$")
# By its name alone, nobody can tell whether one is a map, a stack of pages or a photo; a video or a picture.
_LOOKED_AT = (".tif", ".tiff", ".gif")
_MAGIC = "*?["


@contextmanager
def fetched(source: Path | str) -> Iterator[tuple[Path | str, list[int] | None]]:
    """Have a source on this machine meanwhile: that of a store is copied here, all others are where they are.

    Yields:
        Where it is, and what `intarsia.jobs.manifest.fingerprint` says of it (None: ask there).

    Raises:
        DataError: there is no such object, it cannot be fetched, or the disk has no room for it.
    """
    if not is_address(source):
        yield source, None
        return
    address = Address(source)
    folder = scratch("source")
    try:
        suffix = _SUFFIX.search(address.key)
        file = folder / f"source{suffix[0] if suffix else ''}"  # whatever the key is
        found = Store(Address(f"s3://{address.bucket}")).fetch(address.key, file)
        if found is None:
            raise DataError(f"{address}: there is no such object; was it moved while it was needed?")
        yield file, found.seen
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def seen(address: Address) -> list[int] | None:
    """Tell size, time and a number of the contents of an object; None where there is none, or it cannot be asked."""
    if address.seen is None:
        try:
            found = Store(Address(f"s3://{address.bucket}")).head(address.key)
        except DataError:
            return None
        address.seen = None if found is None else found.seen
    return address.seen


def listed(address: Address, given: Collection[str], media: Sequence[Medium]) -> Sources:
    """Find the sources below an address, or the one that it names; see `intarsia.media.medium.expand`.

    Raises:
        DataError: there is nothing, or the store cannot be listed.
        UsageError: it is a pattern, or frames of a video.
    """
    if any(sign in address.key for sign in _MAGIC):
        raise UsageError(f"{address} is a pattern, and stores are listed by prefix: name the folder above")
    if any(medium.sequence in given for medium in media):
        raise UsageError("frames in a store are not taken for a video (--fps); name a video file, or copy them first")
    whole = Store(Address(f"s3://{address.bucket}"))
    single = whole.head(address.key) if address.key else None
    if single is not None:
        one = Address(address, single.seen)
        name = PurePosixPath(PurePosixPath(address.key).name)
        return Sources(None, (Item(one, name, _medium(one, given, media)),), deep=False)
    store, odd, known = Store(address), 0, list[Found]()
    for found in store.list():
        if _is_plain(found.name):
            known.append(found)
        elif found.seen[0]:  # what is empty stands for a folder
            odd += 1
    chosen = _of_one_family(known, media)
    if not chosen:
        raise DataError(f"no picture, cloud or video below {address}; check the prefix (objects there: {len(known)})")
    items = []
    for found in chosen:
        one = Address(address / found.name, found.seen)
        items.append(Item(one, PurePosixPath(found.name), _medium(one, given, media)))
    left = [f"{address} also holds {counted(odd, 'object')} whose keys are no paths: rename them"] if odd else []
    return Sources(None, tuple(items), notes=tuple(left))


def _is_plain(name: str) -> bool:
    """Whether a key can become the name of a result: no way out of a folder, and nothing hidden."""
    return all(part and not part.startswith((".", "__MACOSX")) for part in name.split("/")) and not set(name) & {
        "\\",
        "\0",
    }


def _of_one_family(known: list[Found], media: Sequence[Medium]) -> list[Found]:
    """The objects of the first family that occurs, by their names."""
    for members in families(media):
        chosen = [one for one in known if any(_claims(medium, one.name) for medium in members)]
        if chosen:
            return sorted(chosen, key=lambda one: PurePosixPath(one.name))
    return []


def _claims(medium: Medium, name: str) -> bool:
    path = PurePosixPath(name).name
    if path.lower().endswith((".hdr", ".img")):  # two files that are one
        return False
    return medium.claims(path) and (medium.by_name or medium.sniff(path))


def _medium(address: Address, given: Collection[str], media: Sequence[Medium]) -> Medium:
    """What an object is: by its name, or where that does not tell, by its contents."""
    name = PurePosixPath(address.key).name
    if name.lower().endswith(_LOOKED_AT):
        with fetched(address) as (file, _):
            return medium_of(file, given, media=media)
    found = next((medium for medium in media if not medium.by_name and _claims(medium, name)), None)
    found = found or next((medium for medium in media if _claims(medium, name) and medium.sniff(os.fspath(name))), None)
    return found or media[-1]
