"""Every annotation tool's files, class lists and recipes."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ordeals.targets import Target, digest
from PIL import Image

from intarsia.annotations import AnnotatedImage, Category, Shape, open_annotations, rasterize, write_annotations
from intarsia.annotations.document import AnnotatedVideo
from intarsia.annotations.geometry import Mask, Polygon, Rectangle
from intarsia.annotations.tools import tools
from intarsia.labels import LabelSpace

WIDTH, HEIGHT = 40, 30
_NAMES = ("car", "person")


def documents(folder: Path) -> list[AnnotatedImage]:
    """Two photos with three shapes each."""
    found = []
    for number in range(2):
        photo = folder / f"{number}.jpg"
        Image.new("RGB", (WIDTH, HEIGHT), (9, 90, 200)).save(photo)
        bitmap = np.zeros((6, 8), np.bool_)
        bitmap[1:5, 2:7] = bitmap[0, 0] = bitmap[5, 7] = True
        shapes = (
            Shape("car", Polygon.of(((2.0, 2.0), (20.0, 4.0), (12.0, 18.0)))),
            Shape("person", Rectangle.between((22.0, 3.0), (33.0, 20.0))),
            Shape("car", Mask(bitmap, 4, 20)),
        )
        found.append(AnnotatedImage(photo.name, image=photo, width=WIDTH, height=HEIGHT, shapes=shapes))
    return found


def make(name: str, folder: Path) -> Path:
    """Write the documents as a tool's file, or folder."""
    tool = tools()[name]
    target = folder / (f"all{tool.suffix}" if tool.suffix else "out")
    if tool.photos:  # where its photos have to lie
        (target / tool.photos).mkdir(parents=True)
        for photo in documents(folder):
            shutil.copy(folder / photo.name, target / tool.photos / photo.name)
    write_annotations(documents(folder), target, tool=name, categories=[Category(one) for one in _NAMES])
    return target if target.exists() else folder


def read(path: Path) -> str:
    """Read and draw every document; what was dropped is said."""
    opened = open_annotations(path, where_known={"missing_masks": "skip"})
    space, parts = LabelSpace(("nothing", *_NAMES)), []
    for document in opened:
        if isinstance(document, AnnotatedVideo):
            parts += [str(image) for _, image in zip(range(9), document.images(), strict=False)]
            continue
        parts += [document.name, document.width, document.height, len(document.shapes), sorted(document.labels())]
        if document.width and document.height and document.width * document.height < 1e6:
            known = tuple(shape for shape in document.shapes if shape.label in _NAMES)
            drawn = AnnotatedImage(document.name, shapes=known)
            parts.append(rasterize(drawn, (document.height, document.width), space))
    return f"said: {opened.lost}" if opened.lost else digest(*parts)


_PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
<Page imageFilename="0.jpg" imageWidth="40" imageHeight="30">
<TextRegion id="r1" type="paragraph"><Coords points="2,2 30,2 30,20 2,20"/>
<TextLine id="l1"><Coords points="3,3 28,3 28,9 3,9"/><Baseline points="3,8 28,8"/>
<TextEquiv><Unicode>one line</Unicode></TextEquiv></TextLine></TextRegion></Page></PcGts>
"""
_VOC = """<annotation><folder>VOC</folder><filename>0.jpg</filename>
<size><width>40</width><height>30</height><depth>3</depth></size><segmented>0</segmented>
<object><name>car</name><difficult>0</difficult><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>20</xmax><ymax>15</ymax>
</bndbox></object></annotation>
"""


def _xml(folder: Path, text: str) -> Path:
    documents(folder)
    (folder / "0.xml").write_text(text)
    return folder / "0.xml"


def _packed(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(make("coco", folder), "instances.json")
    (folder / "all.json").unlink()
    return folder / "a.zip"


def _class_files(folder: Path, name: str) -> Path:
    texts = {
        "classes.txt": "0: sky 70 130 180\n1: road 128 64 128\n2: person 220 20 60\n",
        "classes.csv": "id,name,r,g,b\n0,sky,70,130,180\n1,road,128,64,128\n",
        "classes.json": '{"sky": [70, 130, 180], "road": [128, 64, 128]}',
        "classes.yaml": "names:\n  0: sky\n  1: road\n  2: person\n",
        "classes.jsonl": '{"id": 0, "name": "sky"}\n{"id": 1, "name": "road"}\n',
        "label_map.pbtxt": "item {\n  id: 1\n  name: 'sky'\n}\nitem {\n  id: 2\n  name: 'road'\n}\n",
        "labelmap.txt": "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncar:128,0,0::\n",
    }
    (folder / name).write_text(texts[name])
    return folder / name


def _read_classes(path: Path) -> str:
    from intarsia.classlists.reading import read_class_file

    return repr(read_class_file(path))


def _recipe(folder: Path) -> Path:
    from intarsia.recipe import Recipe

    Recipe().override({"training.epochs": 3, "data.val_fraction": 0.2}).save(folder / "recipe.yaml")
    return folder / "recipe.yaml"


def _read_recipe(path: Path) -> str:
    from intarsia.recipe import Recipe

    return repr(Recipe.load(path).to_dict())


def targets() -> Iterator[Target]:
    """Every tool that is written and read, class lists, recipes."""
    for name, tool in tools().items():
        if tool.read and tool.write:
            yield Target(f"annotations-{name}", lambda folder, name=name: make(name, folder), read, whole=False)
    for name, text in (("page", _PAGE), ("voc", _VOC)):
        yield Target(f"annotations-{name}", lambda folder, text=text: _xml(folder, text), read, whole=False)
    yield Target("annotations.zip", _packed, read, sealed=True)
    for name in (
        "classes.txt", "classes.csv", "classes.json", "classes.yaml", "classes.jsonl", "labelmap.txt",
        "label_map.pbtxt",
    ):  # fmt: skip
        yield Target(name, lambda folder, name=name: _class_files(folder, name), _read_classes, whole=False)
    yield Target("recipe.yaml", _recipe, _read_recipe, whole=False)
