"""The head of CVAT's XML: which labels, attributes, tasks and frames an export has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from intarsia.annotations.document import Attribute, Category
from intarsia.annotations.reading import whole_number
from intarsia.annotations.xmlfile import Element
from intarsia.labels import Color


@dataclass(frozen=True)
class Task:
    """What the head says about one task's images or video; None where it does not say it."""

    id: str = ""
    name: str = ""
    video: str = ""
    start: int | None = None
    stop: int | None = None
    step: int = 1
    width: int | None = None
    height: int | None = None
    subset: str = ""


@dataclass(frozen=True)
class Meta:
    """The head of one file."""

    categories: tuple[Category, ...] = ()
    tasks: tuple[Task, ...] = ()
    kinds: Mapping[str, Mapping[str, Attribute]] = field(default_factory=dict)
    """Label -> attribute name -> attribute."""

    def task(self, number: str) -> Task:
        """The task with an id; without an id, or if there is one alone, the first; else an unknown one."""
        found = [task for task in self.tasks if task.id == number]
        return (found or [task for task in self.tasks[:1] if not number or len(self.tasks) == 1] or [Task()])[0]


def read_meta(element: Element) -> Meta:
    """Read the `<meta>` element: of a task, a job, or a project with its tasks."""
    holder = next((child for child in element if child.tag in ("project", "task", "job")), element)
    tasks = holder.findall("tasks/task") if holder.tag == "project" else [holder]
    categories = _categories(holder.findall("labels/label"))
    return Meta(
        categories,
        tuple(_task(task, element) for task in tasks),
        {category.name: {attribute.name: attribute for attribute in category.attributes} for category in categories},
    )


def _task(task: Element, meta: Element) -> Task:
    step = re.search(r"step\s*=\s*(\d+)", _text(task, "frame_filter"))
    return Task(
        id=_text(task, "id"),
        name=_text(task, "name"),
        video=_text(task, "source") or _text(meta, "source"),
        start=whole_number(_text(task, "start_frame")),
        stop=whole_number(_text(task, "stop_frame")),
        step=max(1, int(step[1][:9])) if step else 1,
        width=_side(task, "width"),
        height=_side(task, "height"),
        subset=_text(task, "subset"),
    )


def _side(task: Element, name: str) -> int | None:
    found = whole_number(_text(task, f"original_size/{name}"))
    return found if found and found > 0 else None


def _categories(labels: Sequence[Element]) -> tuple[Category, ...]:
    parents: dict[str, list[str]] = {}
    for label in labels:
        if parent := label.findtext("parent"):
            parents.setdefault(parent, []).append(label.findtext("name") or "")
    found = {}
    for label in labels:
        name = label.findtext("name") or ""
        if not label.findtext("parent"):
            attributes = tuple(_attribute(entry) for entry in label.findall("attributes/attribute"))
            found[name] = Category(
                name, _color(_text(label, "color")), attributes=attributes, keypoints=tuple(parents.get(name, ()))
            )
    return tuple(found.values())


def _attribute(entry: Element) -> Attribute:
    values = entry.findtext("values") or ""
    kind = _text(entry, "input_type") or "text"
    return Attribute(
        name=entry.findtext("name") or "",
        values=tuple(value for value in values.split("\n") if value.strip()),
        kind=kind,
        default=_text(entry, "default_value"),
        mutable=_text(entry, "mutable").lower() == "true",
    )


def _color(text: str) -> Color | None:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return None
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def value_of(attribute: Attribute | None, text: str) -> Any:
    """The value of an attribute by its declared kind: checkbox -> bool, number -> int or float, else the text."""
    if attribute is not None and attribute.kind == "checkbox" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if attribute is not None and attribute.kind == "number":
        if re.fullmatch(r"-?\d{1,18}", text):
            return int(text)
        if re.fullmatch(r"-?\d+\.?\d*(e[+-]?\d+)?", text, re.IGNORECASE):
            return float(text)
    return text


def read_attributes(element: Element, declared: Mapping[str, Attribute]) -> dict[str, Any]:
    """The `<attribute name="...">` children of a shape, typed as its label declares them."""
    entries = ((child.get("name", ""), child.text or "") for child in element.iterfind("attribute"))
    return {name: value_of(declared.get(name), text) for name, text in entries}
