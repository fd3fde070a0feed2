"""Jobs of the ready-made uses: what `intarsia portrait`, `background`, `makeup` and others do, with their options.

An option that names a file on the command line is a file of the form here; no text ever leads to a file of the server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

import intarsia
from intarsia.apps.background import MEDIA as BACKGROUNDS
from intarsia.apps.background import Backgrounds, background_output
from intarsia.apps.drive import MEDIA as STREETS
from intarsia.apps.drive import Camera, drive_render
from intarsia.apps.grounds import BLUR, Blur, Ground, Plain, named_ground
from intarsia.apps.handwriting import PAGE, LineFinder
from intarsia.apps.loading import load_predictor
from intarsia.apps.makeup import MADE_UP, Look, open_makeup
from intarsia.apps.makeup import MEDIA as FACES
from intarsia.apps.portrait import MEDIA as PHOTOS
from intarsia.apps.portrait import Portraits, check_files, portrait_output
from intarsia.apps.tryon import MEDIA as CLOTHES
from intarsia.apps.tryon import TRIED_ON, TryingOn, Wish
from intarsia.errors import UsageError
from intarsia.inference.bodies import find_bodies
from intarsia.inference.choosing import sees_somebody
from intarsia.jobs import JobOptions, Plan, plan
from intarsia.media.images import read_image
from intarsia.media.medium import check_options
from intarsia.serving.jobs.kinds import Asked, Kind, Outcome, Work
from intarsia.serving.jobs.loaded import Loaded
from intarsia.serving.jobs.running import check_sequence, run_plan, sum_up
from intarsia.serving.jobs.store import Folder

A = TypeVar("A", bound="Using")
Planned = tuple[Plan, JobOptions, Callable[[], Any]]
"""The plan, the options of the job, and what makes the predictor when it is begun."""


class Using(Asked):
    """What may be asked of a use.

    Attributes:
        model: that it needs; None: it finds its own.
    """

    model: str | None = None


class Portraying(Using):
    """Of `portrait`."""

    model: str | None = "person"
    background: Annotated[str | None, Field(max_length=100, description="A colour, or transparent; or a file.")] = None
    blur: float | None = None
    lossless: bool = False


class Backing(Using):
    """Of `background`."""

    model: str | None = "person"
    behind: Annotated[str | None, Field(max_length=100, description="blur, a colour, transparent; or a file.")] = None
    blur: float | None = None
    limit: Annotated[int | None, Field(ge=1)] = None
    deadline: Annotated[float | None, Field(ge=1)] = None


class Painting(Using):
    """Of `makeup`."""

    lips: str | None = None
    hair: str | None = None
    skin: Literal["smooth"] | None = None
    eyes: str | None = None
    brows: str | None = None
    strength: Annotated[float, Field(ge=0, le=1)] = 0.8


class Trying(Using):
    """Of `tryon`; cloths are the files `texture` and `from`."""

    model: str | None = "clothes"
    garment: str
    colour: str | None = None
    scale: float = 0.5


class Reading(Using):
    """Of `handwriting`."""

    model: str | None = "handwriting"
    write: tuple[str, ...] = ()
    words: bool = False
    long_side: Annotated[int | None, Field(ge=32, le=20_000)] = None


class Driving(Using):
    """Of `drive`; the calibration is the file `camera`."""

    model: str | None = intarsia.DEFAULT_MODEL
    write: tuple[str, ...] = ()
    fps: Annotated[float | None, Field(gt=0, le=1000)] = None
    limit: Annotated[int | None, Field(ge=1)] = None
    deadline: Annotated[float | None, Field(gt=0)] = None


def uses(loaded: Loaded) -> list[Kind]:
    """Make the kinds of jobs that are ready-made uses."""

    def make(
        name: str, about: str, asked: type[A], planned: Callable[[Loaded, A, Folder], Planned], *extras: str
    ) -> Kind:
        return Kind(
            name, about, partial(_run, loaded, asked, planned), asked, partial(_prepare, loaded, planned), extras
        )

    return [
        make("portrait", "What is behind the people of photos is out of focus", Portraying, _portrait, "background"),
        make("background", "Another background behind the people of videos", Backing, _background, "behind"),
        make("makeup", "Lips, hair, skin, eyes and brows of the faces in photos and videos", Painting, _makeup),
        make("tryon", "A garment in another colour or cloth", Trying, _tryon, "texture", "from"),
        make("handwriting", "The lines of handwritten pages, in reading order", Reading, _handwriting),
        make("drive", "Road, lanes, vehicles and people before a camera", Driving, _drive, "camera"),
    ]


def _prepare(loaded: Loaded, planned: Callable[..., Planned], asked: Using, folder: Folder) -> dict[str, Any]:
    if asked.model is not None:
        loaded.engine.description(asked.model)
    found, options, _ = planned(loaded, asked, folder)
    for medium in found.media():
        check_options(medium, [name for name in options.given() if name != "app"])
    check_sequence(found, options)
    return asked.model_dump(mode="json")


def _run(loaded: Loaded, kind: type[Using], planned: Callable[..., Planned], work: Work) -> Outcome:
    found, options, predictor = planned(loaded, kind.model_validate(work.spec), work.folder)
    return sum_up(found, run_plan(work, predictor(), found, options, "working"))


def _plan(
    folder: Folder, outputs: Sequence[Any], media: Sequence[Any] | None = None, given: Sequence[str] = ()
) -> Plan:
    known = {} if media is None else {"media": media}
    return plan(folder.source(), folder.out, outputs=outputs, given=given, **known)


def _model(loaded: Loaded, asked: Using, **options: Any) -> Any:
    assert asked.model is not None
    return load_predictor(loaded.load(asked.model, **options))  # type: ignore[arg-type]  # which it checks


def read_backdrop(said: str | None, blur: float | None, file: Path | None) -> Ground:
    """Understand what shall be behind a person.

    Args:
        said: ``blur``, ``transparent`` or a colour; never a file.
        blur: how far out of focus a blur is, 0 to 1.
        file: a picture that was sent.

    Raises:
        UsageError: it is none of them, or too much was said.
        DataError: the picture cannot be read.
    """
    if blur is not None and (file is not None or said not in (None, BLUR)):
        raise UsageError("blur is how far the photo's own background is out of focus; leave it, or the other one, out")
    if file is not None and said is not None:
        raise UsageError("send a background as a file, or say what it is, not both")
    if file is not None:
        return Plain(read_image(file))
    return named_ground(said or BLUR) if blur is None else Blur(blur)


def _portrait(loaded: Loaded, asked: Portraying, folder: Folder) -> Planned:
    ground = read_backdrop(asked.background, asked.blur, folder.extra_file("background"))
    planned = _plan(folder, [portrait_output(ground, lossless=asked.lossless)], PHOTOS)
    check_files(planned)
    return planned, JobOptions(), lambda: Portraits(_model(loaded, asked), ground)


def _background(loaded: Loaded, asked: Backing, folder: Folder) -> Planned:
    ground = read_backdrop(asked.behind, asked.blur, folder.extra_file("behind"))
    planned = _plan(folder, [background_output(ground)], BACKGROUNDS)
    options = JobOptions(limit=asked.limit, deadline=asked.deadline)
    return planned, options, lambda: Backgrounds(_model(loaded, asked), ground)


def _makeup(loaded: Loaded, asked: Painting, folder: Folder) -> Planned:
    look = Look(asked.lips, asked.hair, asked.skin, asked.eyes, asked.brows, asked.strength)
    source = None if asked.model is None else loaded.engine.source(asked.model)
    networks = "makeup", source, bool(look.hair)
    opened = partial(loaded.keep, networks, lambda: open_makeup(look, model=source))
    return _plan(folder, [MADE_UP], FACES), JobOptions(), lambda: opened().with_look(look)


def _tryon(loaded: Loaded, asked: Trying, folder: Folder) -> Planned:
    texture, other = folder.extra_file("texture"), folder.extra_file("from")
    wish = Wish(asked.garment, asked.colour, texture, asked.scale, other)
    planned, sees = _plan(folder, [TRIED_ON], CLOTHES), sees_somebody if asked.model == "clothes" else None
    return planned, JobOptions(), lambda: TryingOn(wish, _model(loaded, asked), find_bodies, sees)


def _handwriting(loaded: Loaded, asked: Reading, folder: Folder) -> Planned:
    planned = _plan(folder, asked.write, (PAGE,))
    return (
        planned, JobOptions(), lambda: LineFinder(_model(loaded, asked, long_side=asked.long_side), words=asked.words)
    )  # fmt: skip


def _drive(loaded: Loaded, asked: Driving, folder: Folder) -> Planned:
    file = folder.extra_file("camera")
    camera = None if file is None else Camera.load(file)
    options = JobOptions(
        fps=asked.fps, limit=asked.limit, deadline=asked.deadline,
        app={} if camera is None else {"camera": camera.model_dump(mode="json")},
    )  # fmt: skip
    given = [name for name in options.given() if name != "app"]
    return _plan(folder, [drive_render(camera), *asked.write], STREETS, given), options, lambda: _model(loaded, asked)
