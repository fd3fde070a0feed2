"""What every use says of itself, is given, and gives."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from intarsia.errors import suggest
from intarsia.inference import Predictor
from intarsia.media.images import open_image
from intarsia.media.photos import PhotoReader
from intarsia.media.pixels import RGB
from intarsia.serving.answers import Made, media_type
from intarsia.serving.budget import hold
from intarsia.serving.calls import Call
from intarsia.serving.engine import Engine
from intarsia.serving.problems import PREFIX, UNPROCESSABLE, Problem
from intarsia.serving.settings import Settings
from intarsia.serving.uploads import RGB_BYTES, Form, Upload, check_picture
from intarsia.serving.uses.shelf import Shelf

T = TypeVar("T")

AGREED = (
    "Only with the consent of those who are in the picture: ask them before you change it, and before you show it. It "
    "does not tell who somebody is."
)
"""What is told with every use that changes how people look."""


class Asked(BaseModel):
    """What may be asked of a use; each use has fields of its own.

    A field's JSON schema also says `option`, what the command calls it ("" where it has none), `argument`, what Python
    calls it (likewise), and `format`: "color", "ground" (blur, transparent, a colour or a picture), "blur" (of the
    ground blur alone), "model", "session"; `usual`: the number that stands for none; and `start`: what a form begins
    with, so that a first try shows something.
    """

    model_config = ConfigDict(extra="forbid")


def said(**more: str) -> dict[str, Any]:
    """What a field's JSON schema says besides."""
    return dict(more)


@dataclass(frozen=True)
class FileField:
    """A file that a use takes besides its photo.

    Attributes:
        name: of the form's field.
        about: what it is, in a line.
        option: what the command calls it.
        argument: what Python calls it.
        many: whether there may be several.
        pictures: whether it is a picture.
    """

    name: str
    about: str
    option: str
    argument: str
    many: bool = False
    pictures: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form."""
        return dict(vars(self))


@dataclass(frozen=True)
class Outcome:
    """What a use made.

    Attributes:
        made: the answer's bytes.
        notes: what was decided or left out, in sentences.
        facts: what was found, as plain JSON; small enough for a header.
    """

    made: Made
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """One request for a use.

    Attributes:
        engine: with the models.
        call: the request.
        settings: of the server.
        form: what was sent.
        shelf: what requests share.
    """

    engine: Engine
    call: Call
    settings: Settings
    form: Form
    shelf: Shelf

    @property
    def upload(self) -> Upload:
        """The photo."""
        return self.form.file()

    def sent(self, name: str) -> Upload | None:
        """Give the file of a field that may be missing."""
        return self.form.file(name) if name in self.form.files else None

    async def beside(self, function: Callable[[], T]) -> T:
        """Run what reads, draws or encodes on a helper thread; see `Engine.beside`."""
        return await self.engine.beside(self.call, function)

    async def predictor(self, name: str, options: Mapping[str, Any] | None = None) -> Predictor:
        """Give a model of pictures.

        Raises:
            Problem: there is none of this name, or it is one of point clouds.
        """
        with self.call.stages("load"):
            return await self.engine.of_pictures(name, options)

    async def photo(self) -> PhotoReader:
        """Open the photo as one that is written again, and decode it beside the models."""
        upload = self.upload
        self.hold(upload)

        def opened() -> PhotoReader:
            photo = PhotoReader(upload.content)
            photo.name = upload.name
            photo.hold()
            return photo

        with self.call.stages("decode"):
            return await self.beside(opened)

    async def pixels(self, upload: Upload) -> RGB:
        """Decode a picture beside the models, (H, W, 3) uint8."""
        self.hold(upload)
        with self.call.stages("decode"):
            return await self.beside(open_image(upload.content, name=upload.name).read)

    def hold(self, upload: Upload, classes: int = 1) -> tuple[int, int]:
        """Judge a picture by its header, and count it among what is held; see `check_picture`."""
        width, height = check_picture(upload, self.settings, classes)
        hold(self.call.request, RGB_BYTES * width * height)
        return width, height

    async def written(self, write: Callable[[Path], None], suffix: str) -> Made:
        """Let what writes files write one, beside the models, and take it."""

        def make() -> bytes:
            with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
                path = Path(folder) / f"made{suffix}"
                write(path)
                return path.read_bytes()

        with self.call.stages("encode"):
            content = await self.beside(make)
        return Made(content, media_type(Path(suffix).suffix), suffix)


@dataclass(frozen=True)
class Use:
    """One use.

    Attributes:
        name: in addresses.
        title: for people.
        about: what it does, in a sentence.
        asked: its parameters.
        make: does it.
        command: the words that begin the same on the command line.
        python: the same in Python, by the parameter `write` ("" stands for its default): a text with {file},
            {arguments} and {stem}.
        photo: what the photo is called: "photo" or "page".
        files: further ones.
        consent: what to ask people for, if it changes how they look.
        needs: name of the model that it cannot do without.
        live: whether it has a parameter `session`.
    """

    name: str
    title: str
    about: str
    asked: type[Asked]
    make: Callable[[Work, Any], Awaitable[Outcome]]
    command: str
    python: Mapping[str, str]
    photo: str = "photo"
    files: tuple[FileField, ...] = ()
    consent: str = ""
    needs: str = ""
    live: bool = False

    def to_json(self, engine: Engine) -> dict[str, Any]:
        """Tell everything that a page needs to offer it."""
        return {
            "name": self.name, "title": self.title, "about": self.about, "consent": self.consent, "photo": self.photo,
            "parameters": self.asked.model_json_schema(), "files": [one.to_json() for one in self.files],
            "command": self.command, "python": dict(self.python), "live": self.live,
            "missing": self.needs if self.needs and self.needs not in engine.names else "",
        }  # fmt: skip

    def check(self, form: Form) -> None:
        """Refuse files and fields that mean nothing to it.

        Raises:
            Problem: names the one that is meant.
        """
        known = ["file", *(one.name for one in self.files)]
        for name in form.files:
            if name not in known:
                raise Problem(UNPROCESSABLE, f"{self.name} takes no file {name!r}.{suggest(name, known)}")
        for name in form.fields:
            raise Problem(UNPROCESSABLE, f"{name!r} is no file; parameters go into the address: ?{name}=...")
