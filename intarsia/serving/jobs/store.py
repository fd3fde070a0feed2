"""Where jobs are kept: a folder each, with what was sent, what was made, and its state as a JSON file."""

from __future__ import annotations

import logging
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from intarsia.files import write_text
from intarsia.jobs import Manifest
from intarsia.serving.answers import media_type
from intarsia.serving.problems import reasons

logger = logging.getLogger("intarsia.serving")

State = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled"})

_ID = re.compile(r"[0-9a-f]{32}")
_STATE = "job.json"
_DAMAGED = ".damaged"
T = TypeVar("T")


class Output(BaseModel):
    """A file that a job made; its name is a posix path below the folder of results."""

    name: str
    bytes: int
    media_type: str


class Job(BaseModel):
    """What is known of a job.

    Attributes:
        id: 128 random bits in hexadecimal digits.
        kind: what is done; names one of `Jobs.kinds`.
        spec: what was asked for, plain JSON; all that the kind needs to begin again.
        state: where it stands.
        what: is going on, in a word.
        done: parts that are done, of `total` (None if unknown).
        created: seconds since 1970; so are `began` and `ended`.
        error: why it failed, or what of it did.
        exit_code: of the command that would have done the same: 0, 1 partly done, 2, 3, 4, 130 stopped.
        notes: what was decided, in sentences.
        outputs: what was made.
        curve: of a training, a row an epoch.
        key: checksum of the client's Idempotency-Key.
        request: checksum of what was sent.
        starts: times that it was begun, the server ended without a word, and nothing was won meanwhile.
        changes: counts what is told of it.
        leaving: somebody cancelled it while it ran.
    """

    id: str
    kind: str
    spec: dict[str, Any]
    state: State = "queued"
    what: str = ""
    done: int = 0
    total: int | None = None
    created: float
    began: float | None = None
    ended: float | None = None
    error: str | None = None
    exit_code: int | None = None
    notes: list[str] = []
    outputs: list[Output] = []
    curve: list[dict[str, Any]] = []
    key: str = ""
    request: str = ""
    starts: int = 0
    changes: int = Field(0, exclude=True)
    leaving: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing happens to it any more."""
        return self.state in ENDED

    def to_json(self, now: float) -> dict[str, Any]:
        """Tell it to clients, as plain JSON; what was cancelled is "stopping" until its current step ends."""
        took = 0.0 if self.began is None else (self.ended or now) - self.began
        stands = "stopping" if self.leaving and self.state == "running" else self.state
        told = ("id", "kind", "what", "done", "total", "created", "error", "exit_code", "notes")
        return {name: getattr(self, name) for name in told} | {
            "state": stands,
            "seconds": round(took, 3),
            "outputs": [one.model_dump() for one in self.outputs],
        }


@dataclass(frozen=True)
class Folder:
    """The folder of one job.

    Attributes:
        path: absolute.
    """

    path: Path

    @property
    def input(self) -> Path:
        """What was sent to be worked on."""
        return self.path / "input"

    @property
    def extra(self) -> Path:
        """Further files that were sent, named by the option that they are for."""
        return self.path / "extra"

    @property
    def out(self) -> Path:
        """The results."""
        return self.path / "out"

    def source(self) -> Path:
        """What is worked on: the one file or folder that was sent, or the folder of all."""
        found = sorted(path for path in self.input.iterdir() if not path.name.startswith("."))
        return found[0] if len(found) == 1 else self.input

    def extra_file(self, name: str) -> Path | None:
        """The file that was sent for an option."""
        return next(iter(sorted(self.extra.glob(f"{name}.*"))), None) if self.extra.is_dir() else None

    def outputs(self, names: Iterable[str]) -> list[Output]:
        """List the files behind names of results: of a folder all in it, and only what lies below `out`."""
        found: dict[str, Output] = {}
        root = self.out.resolve()
        for name in names:
            place = self.out / name
            for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
                with suppress(OSError, ValueError):
                    if file.is_file() and file.resolve().is_relative_to(root):
                        told = file.relative_to(self.out).as_posix()
                        found[told] = Output(name=told, bytes=file.stat().st_size, media_type=media_type(file.suffix))
        return list(found.values())

    def finished(self) -> tuple[str, ...]:
        """The names of the results of each source that is finished, also where the work was not."""
        return tuple(name for record in Manifest(self.out).records() for name in record["outputs"].values())

    def clear(self) -> None:
        """Remove what a server that was killed has left half written among the results."""
        for path in self.out.rglob(".*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def hide(self, value: T) -> T:
        """Take this server's paths out of plain JSON, so that names start where the client's do."""
        if isinstance(value, str):
            for place in (self.input, self.out, self.path):
                value = value.replace(f"{place}/", "").replace(str(place), "the job")  # type: ignore[assignment]
            return value
        if isinstance(value, dict):
            return {key: self.hide(one) for key, one in value.items()}  # type: ignore[return-value]
        if isinstance(value, list):
            return [self.hide(one) for one in value]  # type: ignore[return-value]
        return value


class Store:
    """The folders of all jobs.

    A folder without a state is of a job that was never begun, or is removed: it is swept when a server starts.

    Args:
        folder: that holds them; made with the first job.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def place(self, job: str) -> Folder:
        """The folder of a job.

        Raises:
            KeyError: it is no id.
        """
        if not _ID.fullmatch(job):
            raise KeyError(job)
        return Folder(self.folder / job)

    def new(self) -> Folder:
        """Make the folder of a new job, which only this user can read."""
        found = Folder(self.folder / secrets.token_hex(16))
        found.input.parent.mkdir(parents=True, mode=0o700)
        found.input.mkdir()
        return found

    def save(self, job: Job) -> None:
        """Write a job's state, whole or not at all."""
        write_text(self.place(job.id).path / _STATE, job.model_dump_json())

    def remove(self, job: str) -> None:
        """Remove all of a job; its state first, so that nothing half removed is taken for a job."""
        path = self.place(job).path
        (path / _STATE).unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)

    def load(self) -> Iterator[Job]:
        """Go through the jobs on disk; remove folders that are none, and keep damaged ones aside."""
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else ():
            if not _ID.fullmatch(path.name):
                continue
            try:
                job = Job.model_validate_json((path / _STATE).read_bytes())
                if job.id != path.name:
                    raise ValueError(f"it is of the job {job.id}")
            except FileNotFoundError:
                self.remove(path.name)
            except (OSError, ValueError) as error:
                self._keep_aside(path, error)
            else:
                yield job

    def _keep_aside(self, path: Path, error: Exception) -> None:
        """Give a job that cannot be read a name that is no job's, as what was sent and made is still there."""
        why = reasons(error) if isinstance(error, ValidationError) else str(error)
        aside = path.with_name(path.name + _DAMAGED)
        try:
            path.replace(aside)
        except OSError as reason:
            logger.warning("the job %s cannot be read (%s), nor be moved aside (%s)", path, why, reason)
            return
        logger.warning(
            "the job %s cannot be read: %s is damaged (%s). What was sent and made is kept in %s; take what is needed, "
            "then remove it", path.name, _STATE, why, aside,
        )  # fmt: skip
