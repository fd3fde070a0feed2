"""Writing VIA 2's project file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from intarsia.annotations.document import AnnotatedImage, Attribute, Category, Document, Shape
from intarsia.annotations.formats.via.regions import geometry_of, region_of
from intarsia.annotations.geometry import Circle, Ellipse, Points, Polygon, Polyline, Rectangle
from intarsia.annotations.lost import Lost
from intarsia.annotations.writing import account, account_classes, fitted, singles, size_of, still_images
from intarsia.errors import DataError
from intarsia.files import atomic_path

GEOMETRIES = (Rectangle, Circle, Ellipse, Polygon, Polyline, Points)

_CLASS = "class"


def write(documents: Iterable[Document], path: Path, *, categories: Sequence[Category] = ()) -> Lost:
    """Write documents as one project, which VIA 2 opens by Project > Load.

    The class is a dropdown named as the file that was read named it, or "class".

    Returns:
        What VIA cannot express.

    Raises:
        DataError: nothing to write, or the place cannot be written.
    """
    lost = Lost()
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        writer = _Writer(file, categories, lost)
        file.write('{\n"_via_img_metadata": {')
        for document in still_images(documents, lost):
            writer.image(document)
        if not writer.keys:
            raise DataError(f"{path}: nothing to write: there is no annotated image")
        rest = {
            "_via_settings": _settings(path.stem, writer.class_name),
            "_via_attributes": writer.declarations(),
            "_via_data_format_version": "2.0.10",
            "_via_image_id_list": list(writer.keys),
        }
        file.write("\n},\n" + json.dumps(rest, indent=1, ensure_ascii=False)[2:] + "\n")
    account_classes(categories, lost, "via", stored=("attributes",))
    return lost


class _Writer:
    def __init__(self, file: IO[str], categories: Sequence[Category], lost: Lost) -> None:
        self.keys: dict[str, None] = {}
        self.class_name = ""
        self._file = file
        self._lost = lost
        self._classes = {category.name: None for category in categories}
        self._regions: dict[str, Attribute] = {}
        self._files: dict[str, Attribute] = {}
        for category in categories:
            for attribute in category.attributes:
                self._regions.setdefault(attribute.name, attribute)

    def image(self, document: AnnotatedImage) -> None:
        own = document.tool in ("via", "")
        account(document, self._lost, "via", shape=("attributes",), image=("attributes", "embedded"))
        if not self.keys:
            self.class_name = str(document.extra.get("class_attribute", _CLASS)) if own else _CLASS
            self._regions.pop(self.class_name, None)
        if document.image is None and None not in size_of(document):
            self._lost.dropped("via does not store the size of images", document.name)
        size = document.image.stat().st_size if document.image else document.extra.get("size", -1) if own else -1
        key = f"{document.name}{size}"
        if key in self.keys:
            self._lost.changed("several entries have the same image name", document.name)
            key = next(f"{key}-{n}" for n in range(2, len(self.keys) + 3) if f"{key}-{n}" not in self.keys)
        regions = [
            region for number, shape in enumerate(document.shapes, 1) for region in self._shape(number, shape, document)
        ]
        extra = {k: v for k, v in document.extra.items() if k not in ("class_attribute", "size")} if own else {}
        entry = {
            "filename": document.name,
            "size": size,
            "regions": regions,
            "file_attributes": self._fields(document.attributes, self._files, document.name),
            **({"base64_img_data": _data_address(document.embedded)} if document.embedded else {}),
            **extra,
        }
        self._file.write(f"{',' if self.keys else ''}\n{json.dumps(key, ensure_ascii=False)}: ")
        json.dump(entry, self._file, ensure_ascii=False)
        self.keys[key] = None

    def _shape(self, number: int, shape: Shape, document: AnnotatedImage) -> Iterable[dict[str, Any]]:
        where = f"{document.name}: shape {number} ({shape.label})"
        fields = dict(shape.attributes)
        if self.class_name in fields:
            self._lost.dropped(f"an attribute named {self.class_name!r}, which is the class", where)
            del fields[self.class_name]
        self._classes.setdefault(shape.label)
        # VIA turns ellipses, but not rectangles.
        kinds = (Polygon,) if isinstance(shape.geometry, Rectangle) and shape.geometry.angle else GEOMETRIES
        for fit in singles(fitted(shape, self._lost, where, kinds, angles=True), self._lost, where):
            region = region_of(fit.geometry)
            if geometry_of(region) != fit.geometry:
                self._lost.changed("a number is rounded in its last digit", where)
            yield {
                "shape_attributes": region,
                "region_attributes": {self.class_name: shape.label, **self._fields(fields, self._regions, where)},
                **(shape.extra if document.tool in ("via", "") else {}),
            }

    def _fields(self, fields: Mapping[str, Any], declared: dict[str, Attribute], where: str) -> dict[str, Any]:
        """Values as VIA stores them, declared as text, or as a checkbox where they are lists."""
        found: dict[str, Any] = {}
        for name, value in fields.items():
            if isinstance(value, list | tuple):
                known = declared.get(name, Attribute(name, kind="checkbox"))
                if known.kind != "checkbox":
                    self._lost.changed("a list of values became one text", where)
                    found[name] = ", ".join(map(str, value))
                    continue
                options = dict.fromkeys((*known.values, *map(str, value)))
                declared[name] = Attribute(name, tuple(options), "checkbox", known.default)
                found[name] = {str(option): True for option in value}
                continue
            known = declared.setdefault(name, Attribute(name))
            if known.kind == "checkbox":
                self._lost.changed("a single value became a list", where)
                declared[name] = Attribute(name, tuple(dict.fromkeys((*known.values, str(value)))), "checkbox")
                found[name] = {str(value): True}
                continue
            if not isinstance(value, str):
                self._lost.changed("a number or truth value became text", where)
            if known.kind != "text" and str(value) not in known.values:
                declared[name] = Attribute(name, (*known.values, str(value)), known.kind, known.default)
            found[name] = (
                value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
            )
        return found

    def declarations(self) -> dict[str, Any]:
        """The value of `_via_attributes`."""
        classes = Attribute(self.class_name, tuple(self._classes), "dropdown")
        region = {self.class_name: _declaration(classes), **{n: _declaration(a) for n, a in self._regions.items()}}
        return {"region": region, "file": {name: _declaration(entry) for name, entry in self._files.items()}}


def _declaration(attribute: Attribute) -> dict[str, Any]:
    if attribute.kind not in ("dropdown", "radio", "checkbox", "image"):
        return {"type": "text", "description": "", "default_value": attribute.default}
    default = {attribute.default: True} if attribute.default else {}
    options = dict.fromkeys(attribute.values, "")
    return {"type": attribute.kind, "description": "", "options": options, "default_options": default}


def _data_address(image: bytes) -> str:
    import base64

    kind = "png" if image.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def _settings(name: str, class_name: str) -> dict[str, Any]:
    """VIA takes these as they are, so that all of them must be there."""
    grid = {
        "img_height": 80,
        "rshape_fill": "none",
        "rshape_fill_opacity": 0.3,
        "rshape_stroke": "yellow",
        "rshape_stroke_width": 2,
        "show_region_shape": True,
        "show_image_policy": "all",
    }
    image = {
        "region_label": class_name,
        "region_color": class_name,
        "region_label_font": "10px Sans",
        "on_image_annotation_editor_placement": "NEAR_REGION",
    }
    return {
        "ui": {
            "annotation_editor_height": 25,
            "annotation_editor_fontsize": 0.8,
            "leftsidebar_width": 18,
            "image_grid": grid,
            "image": image,
        },
        "core": {"buffer_size": 18, "filepath": {}, "default_filepath": ""},
        "project": {"name": name},
    }
