"""Where a job keeps its lines while many workers are at it: what the driver, and what each worker, holds of them."""

from __future__ import annotations

import os
import secrets
import socket
import time
from contextlib import suppress
from pathlib import Path

from intarsia.errors import DataError
from intarsia.jobs import Manifest
from intarsia.jobs.lines import SHARDS
from intarsia.jobs.log import Shard, is_held
from intarsia.jobs.stores.address import Address, is_address
from intarsia.jobs.stores.manifest import StoreManifest
from intarsia.scaling.terms import Terms

_GRACE = 30.0  # seconds for workers that the cluster takes for dead to be so; a later job gathers what they leave
_TICK = 0.1


class DiskDesk:
    """The driver's in a folder, where it has a shard of its own.

    Args:
        folder: the output folder.
        made: whether it was made for this job.

    Attributes:
        manifest: to which it adds lines of its own.
        sign: by which workers see that they are at the same job.
    """

    def __init__(self, folder: Path, made: bool) -> None:
        self._shard, self._made = Shard(folder, "driver"), made
        self.manifest, self.sign = Manifest(folder, self._shard), self._shard.name

    def end(self) -> None:
        """Put all lines into one file, once all workers have gone, and leave nothing else behind."""
        self._shard.close()
        until = time.monotonic() + _GRACE
        job, folder = Path(self.sign).stem.rpartition("-")[2], self.manifest.folder
        while is_held(folder, job) and time.monotonic() < until:
            time.sleep(_TICK)
        self.manifest.gather()
        self.manifest.tidy()
        if self._made:
            with suppress(OSError):  # something was written
                folder.rmdir()


class StoreDesk:
    """The driver's in an object store, where every line is an object of its own; see `DiskDesk`.

    Args:
        manifest: of the job.
    """

    def __init__(self, manifest: StoreManifest) -> None:
        self.manifest, self.sign = manifest, secrets.token_hex(4)

    def end(self) -> None:
        """Gather the lines."""
        self.manifest.tidy()


def open_desk(manifest: Manifest, folder: Path, made: bool) -> DiskDesk | StoreDesk:
    """Open the driver's desk; see `DiskDesk`."""
    return StoreDesk(manifest) if isinstance(manifest, StoreManifest) else DiskDesk(folder, made)


class Seat:
    """A worker's.

    Args:
        terms: of the job.
        name: of the worker.

    Attributes:
        manifest: to which it adds lines.

    Raises:
        DataError: the job's folders are not there, or cannot be written.
    """

    def __init__(self, terms: Terms, name: str) -> None:
        if is_address(terms.folder):
            self.manifest: Manifest = StoreManifest(Address(terms.folder))
            self.close = self.manifest.close
        else:
            shard = Shard(Path(terms.folder), f"{terms.job}-{name}")
            self.manifest, self.close = Manifest(Path(terms.folder), shard), shard.close


def go_there(terms: Terms) -> None:
    """Go to the folder that the job was begun in, and see that its output folder is the very one.

    Raises:
        DataError: this machine has other folders.
    """
    in_store = is_address(terms.folder)
    try:
        os.chdir(terms.place)
    except OSError:
        if not in_store:  # where sources mostly are, too
            raise DataError(_NOT_SHARED.format(host=socket.gethostname(), folder=terms.place)) from None
    if not in_store and not (Path(terms.folder) / SHARDS / terms.sign).exists():
        raise DataError(_NOT_SHARED.format(host=socket.gethostname(), folder=terms.folder))


_NOT_SHARED = (
    "{host} does not have the folder {folder} of this job: sources and results must lie on a file system that all "
    "machines of the cluster have at the same path (NFS, Lustre, a volume of the cluster), or in an object store"
)
