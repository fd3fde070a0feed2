"""Any annotation tool's export as a data set: a folder, a file or a zip archive."""

from __future__ import annotations

import base64
import gc
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.annotations import AnnotatedImage, Category, Shape, open_annotations, write_annotations
from intarsia.annotations.geometry import Circle, Points, Polygon, Rectangle
from intarsia.annotations.tools import tools
from intarsia.datasets import ReadOptions, open_dataset
from intarsia.errors import DataError, UsageError

TRIANGLE = Polygon.of([(2.0, 2.0), (30.0, 4.0), (12.0, 28.0)])


def make(folder: Path, tool: str, count: int = 4) -> Path:
    """An export of `count` images, photos beside it."""
    documents = []
    for number in range(count):
        path = folder / f"photo {number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 40, 3), number, np.uint8)).save(path)
        shapes = (Shape("tree", TRIANGLE), Shape("ball", Circle(30, 20, 4.0)), Shape("ball", Points(((1.0, 1.0),))))
        documents.append(AnnotatedImage(path.name, image=path, width=40, height=32, shapes=shapes))
    suffix = tools()[tool].suffix
    write_annotations(documents, folder / f"export{suffix}" if suffix else folder, tool=tool)
    return folder


def zipped(folder: Path) -> Path:
    """A folder as a zip archive beside it."""
    place = folder.with_suffix(".zip")
    with zipfile.ZipFile(place, "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder.parent))
    return place


def test_an_unpacked_archive_lasts_as_long_as_a_split_of_it(tmp_path: Path) -> None:
    data = open_dataset(zipped(make(tmp_path / "set", "coco")))
    train = data.splits["train"].remapped(data.space, np.arange(256, dtype=np.uint8))
    shared = open_annotations(tmp_path / "set.zip").unpacked
    assert shared is not None
    folder = shared.folder
    del data, shared
    gc.collect()
    assert train.read(0)[0].shape == (32, 40, 3) and folder.is_dir()
    del train
    gc.collect()
    assert not folder.exists()


def test_an_archive_that_is_no_export_is_named(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "set/a.png")
    with pytest.raises(DataError, match=r"set\.zip: no annotation file of any known tool is in it; .*unpack it"):
        open_dataset(zipped(tmp_path / "set"))


@pytest.mark.parametrize("tool", ["labelme", "coco", "cvat", "via", "rectlabel"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_tools_export_is_a_data_set(tmp_path: Path, tool: str, packed: bool) -> None:
    place = make(tmp_path / "set", tool)
    if packed:
        place = zipped(place)
    data = open_dataset(place)
    assert data.layout == "annotations"
    background = data.space.names[0]
    assert background in ("background", "_background_") and set(data.space.names[1:]) == {"tree", "ball"}
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 3, "val": 1}
    image, target = data.splits["train"].read(0)
    assert image.shape == (32, 40, 3)
    tree, ball = data.space.index("tree"), data.space.index("ball")
    assert target[5, 12] == tree and target[20, 30] == ball and target[31, 0] == 0
    assert np.array_equal(pickle.loads(pickle.dumps(data.splits["train"])).read(0)[1], target)


def test_a_file_alone_is_opened_too(tmp_path: Path) -> None:
    folder = make(tmp_path, "coco")
    data = open_dataset(folder / "export.json", val_fraction=0)
    assert len(data.splits["all"]) == 4
    assert not data.check().errors


def test_missing_images_and_shapes_without_area_are_told(tmp_path: Path) -> None:
    folder = make(tmp_path, "labelme")
    (folder / "photo 2.png").unlink()
    data = open_dataset(folder)
    assert len(data) == 3
    notes = " ".join(data.notes)
    assert "Annotated images that are not here, left out: 1 (photo 2.png)" in notes
    data = open_dataset(make(tmp_path / "c", "cvat"))
    assert "Shapes without area, not drawn: 4 points." in data.notes


def test_embedded_images_are_used(real_data: Path) -> None:
    data = open_dataset(real_data / "annotations/labelme/old_versions", val_fraction=0)
    assert len(data) == 2  # the third has no copy of its image
    image, target = data.splits["all"].read(0)
    assert image.shape[:2] == target.shape and target.max() > 0


def test_an_export_without_any_image(tmp_path: Path) -> None:
    folder = make(tmp_path, "coco")
    for path in folder.glob("*.png"):
        path.unlink()
    with pytest.raises(
        DataError, match=r"no image of this coco export is here, for instance photo 0.png; put the images"
    ):
        open_dataset(folder)


def test_real_exports(real_data: Path) -> None:
    coco = open_dataset(real_data / "annotations/coco/labelbox_sdk_coco_val20", val_fraction=0.25)
    assert (coco.layout, len(coco)) == ("annotations", 20)
    assert coco.space.names[:3] == ("background", "person", "bicycle")
    assert len(coco.space) == 42  # of 80 that are declared; the others have no shape
    labels = np.unique(np.concatenate([np.unique(coco.splits["train"].read(i)[1]) for i in range(3)]))
    assert len(labels) > 3


def regions(folder: Path) -> Path:
    """A VIA file whose regions have two fields, neither with a usual name."""
    make(folder, "via", 2)
    file = folder / "export.json"
    value = json.loads(file.read_text())
    value["_via_attributes"] = {"region": {}, "file": {}}
    for entry in value["_via_img_metadata"].values():
        for region in entry["regions"]:
            region["region_attributes"] = {"colour": "red", "material": "oak"}
    file.write_text(json.dumps(value))
    return folder


def test_options_of_the_tools_reader(tmp_path: Path) -> None:
    place = regions(tmp_path)
    assert open_dataset(place, ReadOptions(reader={"class_attribute": "material"})).space.names == ("background", "oak")
    assert open_dataset(place, ReadOptions(reader={"class_attribute": "colour"})).space.names == ("background", "red")
    with pytest.raises(UsageError, match=r"no option 'class_atribute'\. Did you mean 'class_attribute'"):
        open_dataset(place, ReadOptions(reader={"class_atribute": "colour"}))
    (tmp_path / "export.json").unlink()
    (tmp_path / "masks").mkdir()
    for number in range(2):
        Image.fromarray(np.eye(40, dtype=np.uint8)[:32]).save(tmp_path / f"masks/photo {number}.png")
    with pytest.raises(UsageError, match=r"the options class_attribute are for exports .* layout folder"):
        open_dataset(tmp_path, ReadOptions(reader={"class_attribute": "colour"}))


def test_the_tool_of_several_is_chosen(tmp_path: Path) -> None:
    make(tmp_path, "coco")
    make(tmp_path, "labelme")
    data = open_dataset(tmp_path)
    assert "Annotations of coco." in data.notes
    assert any("files of another tool" in note and "labelme" in note for note in data.notes)
    assert "Annotations of labelme." in open_dataset(tmp_path, ReadOptions(reader={"tool": "labelme"})).notes


def test_masks_beside_an_export_are_no_forgotten_photos(tmp_path: Path) -> None:
    make(tmp_path, "coco")
    for place in ("masks/other.png", "drawn/photo 1.png", "photos/new.png"):
        (tmp_path / place).parent.mkdir()
        Image.fromarray(np.zeros((32, 40), np.uint8)).save(tmp_path / place)
    data = open_dataset(tmp_path)
    assert [path.name for path in data.unpaired_images] == ["new.png"]


def test_classes_that_a_found_file_lacks_are_added(tmp_path: Path) -> None:
    make(tmp_path, "coco")
    (tmp_path / "classes.txt").write_text("background\ntree\n")
    data = open_dataset(tmp_path)
    assert data.space.names == ("background", "tree", "ball")
    assert any("which lacks ball: added" in note for note in data.notes)
    with pytest.raises(DataError, match="no class of this data set is named 'ball'"):
        open_dataset(tmp_path, ReadOptions(classes=["background", "tree"])).splits["train"].read(0)


def boxes(folder: Path, tool: str = "coco", geometry: object = None) -> Path:
    """An export of two images, of boxes or another geometry, with a class that no image has."""
    shape = Shape("tree", geometry or Rectangle(2, 2, 20, 20))  # type: ignore[arg-type]
    documents = []
    for number in range(2):
        path = folder / f"images/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (32, 40, 3), dtype=np.uint8)).save(path)
        documents.append(AnnotatedImage(f"images/{path.name}", image=path, width=40, height=32, shapes=(shape,)))
    target = folder / f"export{tools()[tool].suffix}" if tools()[tool].suffix else folder
    write_annotations(documents, target, tool=tool, categories=[Category("tree"), Category("unused")])
    return folder


def with_masks(folder: Path) -> Path:
    (folder / "masks").mkdir()
    for number in range(2):
        Image.fromarray(np.eye(32, 40, dtype=np.uint8)).save(folder / f"masks/{number}.png")
    return folder


def test_masks_count_more_than_boxes(tmp_path: Path) -> None:
    place = with_masks(boxes(tmp_path))
    data = open_dataset(place)
    assert data.layout == "folder" and data.first.read(0)[1][5, 5] == 1 and data.first.read(0)[1][5, 6] == 0
    assert "Annotations of coco lie here, too; the masks are read (--layout annotations: the others)." in data.notes
    assert open_dataset(place, ReadOptions(layout="annotations")).first.read(0)[1][5, 6] == 1


@pytest.mark.parametrize("tool", ["coco", "cvat", "via"])
def test_masks_beside_outlines_are_a_question(tmp_path: Path, tool: str) -> None:
    place = with_masks(boxes(tmp_path, tool, TRIANGLE))
    with pytest.raises(DataError, match=r"which are the labels\? --layout folder .* --layout annotations"):
        open_dataset(place)
    assert open_dataset(place, ReadOptions(layout="folder")).layout == "folder"
    (place / "classes.txt").write_text("background\ntree\n")  # prepared for a training
    assert open_dataset(place).layout == "folder"


def test_classes_without_area_are_left_out_and_told(tmp_path: Path) -> None:
    place = boxes(tmp_path)
    data = open_dataset(place)
    assert data.space.names == ("background", "tree")
    assert any("Left out, as they have no area anywhere: unused" in note for note in data.notes)
    assert "unused" in open_dataset(place, ReadOptions(classes=["background", "tree", "unused"])).space.names


@pytest.mark.parametrize("name", ["first_test_labels.json", "val.json", "my-training.json"])
def test_the_name_of_a_lone_file_divides_nothing(tmp_path: Path, name: str) -> None:
    place = boxes(tmp_path)
    (place / "export.json").rename(place / name)
    assert set(open_dataset(place).splits) == {"train", "val"}
    assert set(open_dataset(place, val_fraction=0).splits) == {"all"}


def test_files_that_differ_in_a_splits_word_divide(tmp_path: Path) -> None:
    place = boxes(tmp_path)
    value = json.loads((place / "export.json").read_text())
    for number, name in enumerate(("instances_train.json", "instances_val.json")):
        part = {**value, "images": value["images"][number : number + 1]}
        (place / name).write_text(json.dumps(part))
    (place / "export.json").unlink()
    data = open_dataset(place)
    assert {name: split.items[0].id for name, split in data.splits.items()} == {
        "train": "train/images/0",
        "val": "val/images/1",
    }


def test_embedded_images_in_folders(tmp_path: Path) -> None:
    for name in ("train", "val"):
        make(tmp_path / name, "labelme", 1)
        place = tmp_path / name / "photo 0.json"
        value = json.loads(place.read_text())
        photo = place.with_suffix(".png")
        value["imageData"] = base64.b64encode(photo.read_bytes()).decode()
        place.write_text(json.dumps(value))
        photo.unlink()
    data = open_dataset(tmp_path)
    assert {name: split.read(0)[0].shape for name, split in data.splits.items()} == {
        "train": (32, 40, 3),
        "val": (32, 40, 3),
    }


def test_the_tools_own_list_of_classes_leaves_the_rest_to_the_background(tmp_path: Path) -> None:
    make(tmp_path, "yolo")
    (tmp_path / "classes.txt").write_text("0 ball\n1 tree\n")  # in another order than data.yaml
    data = open_dataset(tmp_path)
    assert data.space.names == ("background", "ball", "tree")
    assert any("pixels without a shape are background" in note for note in data.notes)
    (tmp_path / "data.yaml").unlink()
    (tmp_path / "classes.txt").write_text("0 tree\n1 ball\n")
    assert open_dataset(tmp_path).space.names == ("background", "tree", "ball")
    asked = open_dataset(tmp_path, ReadOptions(classes=["tree", "ball"]))
    assert any("pixels without a shape are ignored" in note for note in asked.notes)


def test_boxes_that_are_filled_are_told(tmp_path: Path) -> None:
    Image.new("RGB", (40, 32)).save(tmp_path / "a.png")
    shapes = (Shape("tree", TRIANGLE), Shape("ball", Rectangle(2, 2, 9, 9)))
    document = AnnotatedImage("a.png", image=tmp_path / "a.png", width=40, height=32, shapes=shapes)
    write_annotations([document], tmp_path / "export.json", tool="coco")
    assert "Boxes are filled, as if the thing filled them: 1 of 2 shapes." in open_dataset(tmp_path).notes
