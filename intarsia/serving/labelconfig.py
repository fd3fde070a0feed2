"""Label Studio's labelling interface: which of its labels are a model's classes, and how their regions are drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element, ParseError

from intarsia.errors import suggest
from intarsia.labels import LabelSpace
from intarsia.serving.problems import UNPROCESSABLE, Problem

Kind = Literal["brush", "polygon", "rectangle"]

_KINDS: dict[str, Kind] = {"BrushLabels": "brush", "PolygonLabels": "polygon", "RectangleLabels": "rectangle"}
_LONGEST = 1 << 20
_SHOWN = 3


@dataclass(frozen=True)
class Label:
    """One label.

    Attributes:
        name: that regions carry.
        names: by which a class may be known: its value and its alias.
    """

    name: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Control:
    """A tag by which regions are drawn on a picture.

    Attributes:
        kind: of its regions.
        name: of the tag.
        picture: name of the Image tag that it draws on.
        variable: key of a task's data that holds the picture.
        labels: that it offers.
        model: that predicts; "" is the server's own choice.
    """

    kind: Kind
    name: str
    picture: str
    variable: str
    labels: tuple[Label, ...]
    model: str


@dataclass(frozen=True)
class Matches:
    """Which labels are classes.

    Attributes:
        drawn: control, and the label of each class that it draws. A class is drawn once, by the first that offers it.
        unknown: labels that are no class, each with what is close to it, as a sentence.
    """

    drawn: tuple[tuple[Control, dict[int, str]], ...]
    unknown: dict[str, str]


def read_config(text: str) -> tuple[Control, ...]:
    """Read the controls of a labelling interface whose regions a model can predict.

    Raises:
        Problem: it is broken, refused, or has no such control.
    """
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    if len(text) > _LONGEST:
        raise _wrong(f"it has {len(text):,} characters, more than any has")
    try:
        root = fromstring(text, forbid_dtd=True)
    except DefusedXmlException:
        raise _wrong("it declares a document type or entities, which none needs") from None
    except (ParseError, ValueError) as error:
        raise _wrong(f"it is broken XML ({error})") from None
    variables = {tag.get("name", ""): tag.get("value", "").removeprefix("$") for tag in root.iter("Image")}
    found = tuple(_controls(root, variables))
    if not found:
        raise _wrong(
            f"it has no {', '.join(_KINDS)} that draws on an Image: <Image name='image' value='$image'/> and "
            "<BrushLabels name='label' toName='image'><Label value='person'/></BrushLabels>"
        )
    return found


def _controls(root: Element, variables: dict[str, str]) -> Iterator[Control]:
    for tag in root.iter():
        picture = tag.get("toName", "")
        if tag.tag in _KINDS and variables.get(picture):
            said = [(one.get("value", ""), one.get("alias", "")) for one in tag.iter("Label")]
            # Where a label has an alias, Label Studio's own regions carry that, and its SDK accepts nothing else.
            labels = tuple(Label(alias or value, (value, alias)) for value, alias in said if value or alias)
            yield Control(
                _KINDS[tag.tag], tag.get("name", ""), picture, variables[picture], labels, tag.get("model", "")
            )


def match_labels(controls: tuple[Control, ...], space: LabelSpace) -> Matches:
    """Find the classes that labels name, whatever their case, and with spaces, hyphens or underscores.

    Raises:
        Problem: none of them names a class; the closest are suggested.
    """
    classes = {_plain(name): index for index, name in enumerate(space.names)}
    left, unknown = dict(classes), dict[str, str]()
    drawn = []
    for control in controls:
        taken: dict[int, str] = {}
        for label in control.labels:
            known = [name for name in map(_plain, label.names) if name in classes]
            if not known:
                unknown[label.name] = suggest(label.name.lower(), space.names).strip()
            elif known[0] in left:
                taken[left.pop(known[0])] = label.name
        drawn.append((control, taken))
    if not any(taken for _, taken in drawn):
        said = " ".join(f"{name!r}: {close}" for name, close in list(unknown.items())[:_SHOWN])
        raise _wrong(f"none of its labels is a class of the model, nor has one as its alias. {said}")
    return Matches(tuple(drawn), unknown)


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.strip()).casefold()


def _wrong(reason: str) -> Problem:
    return Problem(UNPROCESSABLE, f"the labelling interface: {reason}")
