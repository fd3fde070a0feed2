"""Kinds of jobs: what can be asked for, and what does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from intarsia.serving.jobs.store import Folder
from intarsia.stopping import Stop

Tell = Callable[[str, Mapping[str, Any]], None]
"""Told what happens: "progress" with `what`, `done` and `total`, and whether that much outlives the server (`kept`);
"curve" with an epoch's `epoch`, `loss`, `miou`."""


class Asked(BaseModel):
    """The options of a job; what they do not name is refused."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Work:
    """A job in work.

    Attributes:
        spec: what was asked for, plain JSON.
        folder: of the job; what an earlier server left of the work is there, too.
        stop: asked again and again; true to stop as soon as that is possible.
        tell: told what happens.
    """

    spec: Mapping[str, Any]
    folder: Folder
    stop: Stop
    tell: Tell


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        exit_code: 0 all done, 1 partly done, 3 nothing could be done, 130 stopped.
        error: what could not be done, and why.
        notes: what was decided, in sentences.
        files: the results: posix paths below the folder of results; of a folder, all that is in it.
    """

    exit_code: int = 0
    error: str | None = None
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """One kind of job.

    Attributes:
        name: in requests.
        about: what it does, in a line.
        run: does the work; after a restart of the server it is called once more with the same spec and folder.
        asked: its options; None: only the server itself starts it, not POST /v1/jobs.
        prepare: from the options and the files that were sent to the spec; refuses what cannot be done before it is
            promised. What it raises is the answer.
        extras: options for which files may be sent.
    """

    name: str
    about: str
    run: Callable[[Work], Outcome]
    asked: type[Asked] | None = None
    prepare: Callable[[Any, Folder], dict[str, Any]] = lambda asked, folder: asked.model_dump(mode="json")
    extras: tuple[str, ...] = ()
