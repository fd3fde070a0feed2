"""The label declarations of CVAT's head, collected while the shapes are written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from intarsia.annotations.document import Attribute, Category
from intarsia.annotations.geometry import Geometry, Skeleton
from intarsia.annotations.lost import Lost
from intarsia.annotations.xmlfile import XmlWriter


class _Field:
    """What is known about one attribute of one label: its declaration, or what its values were."""

    def __init__(self, declared: Attribute | None) -> None:
        self.declared = declared
        self.kinds: set[str] = set()
        self.mutable: set[bool] = set()
        self.lists = 0

    def attribute(self, name: str) -> Attribute:
        kind = next(iter(self.kinds)) if len(self.kinds) == 1 else "text"
        if self.declared is not None and (not self.kinds or self._fits(self.declared.kind)):
            kind = self.declared.kind
        values = self.declared.values if self.declared else ("true", "false") if kind == "checkbox" else ()
        mutable = True in self.mutable or (not self.mutable and self.declared is not None and self.declared.mutable)
        default = self.declared.default if self.declared else ""
        return Attribute(name, values, kind, default, mutable)

    def _fits(self, kind: str) -> bool:
        return self.kinds <= ({kind} if kind in ("checkbox", "number") else {"text"})


class Declarations:
    """Labels in order: the declared ones, then those that occur."""

    def __init__(self, categories: Iterable[Category]) -> None:
        self._categories = {category.name: category for category in categories}
        self._fields: dict[tuple[str, str], _Field] = {
            (category.name, attribute.name): _Field(attribute)
            for category in self._categories.values()
            for attribute in category.attributes
        }

    def add(self, label: str, fields: Mapping[str, Any], geometry: Geometry, *, mutable: bool) -> None:
        """Take note of a shape."""
        category = self._categories.setdefault(label, Category(label))
        if isinstance(geometry, Skeleton) and not category.keypoints:
            names = tuple(point.name for point in geometry.points)
            self._categories[label] = replace(category, keypoints=names)
        for name, value in fields.items():
            field = self._fields.setdefault((label, name), _Field(None))
            field.kinds.add(kind_of(value))
            field.mutable.add(mutable)
            field.lists += isinstance(value, list | tuple)

    def report(self, lost: Lost) -> None:
        """Count the values that are read back in another form."""
        for (label, name), field in self._fields.items():
            where = f"{label}: {name}"
            lost.changed("a list of values became one text", where, field.lists)
            attribute = field.attribute(name)
            if field.kinds - {attribute.kind if attribute.kind in ("checkbox", "number") else "text"}:
                lost.changed("an attribute with values of several kinds became text", where)
            if len(field.mutable) == 2:
                lost.changed("an attribute of whole tracks is stored in every frame", where)

    def write(self, xml: XmlWriter) -> None:
        """Write the `<labels>` element."""
        xml.open("labels")
        for category in self._categories.values():
            xml.open("label")
            xml.leaf("name", category.name)
            if category.color:
                xml.leaf("color", "#{:02x}{:02x}{:02x}".format(*category.color))
            xml.leaf("type", "skeleton" if category.keypoints else "any")
            xml.open("attributes")
            for (label, name), field in self._fields.items():
                if label == category.name:
                    _write_attribute(xml, field.attribute(name))
            xml.close()
            xml.close()
            for keypoint in category.keypoints:
                xml.open("label")
                xml.leaf("name", keypoint)
                xml.leaf("type", "points")
                xml.open("attributes")
                xml.close()
                xml.leaf("parent", category.name)
                xml.close()
        xml.close()


def _write_attribute(xml: XmlWriter, attribute: Attribute) -> None:
    xml.open("attribute")
    xml.leaf("name", attribute.name)
    xml.leaf("mutable", str(attribute.mutable))
    xml.leaf("input_type", attribute.kind)
    xml.leaf("default_value", attribute.default)
    xml.leaf("values", "\n".join(attribute.values))
    xml.close()


def kind_of(value: Any) -> str:
    """CVAT's kind of a value."""
    if isinstance(value, bool):
        return "checkbox"
    return "number" if isinstance(value, int | float) else "text"


def text_of(value: Any) -> str:
    """A value as CVAT's text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
