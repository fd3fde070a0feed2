"""`intarsia annotations`, and `intarsia segment --annotations`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import Cli
from PIL import Image
from tiny import TinyRun

from intarsia.annotations import AnnotatedImage, DrawingRules, Shape, open_annotations, rasterize, write_annotations
from intarsia.annotations.formats.masks import drawing_of
from intarsia.annotations.geometry import Circle, Polygon, Rectangle
from intarsia.datasets import open_dataset
from intarsia.media.images import read_mask


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A LabelMe export of two photos."""
    folder = tmp_path / "export"
    shapes = (Shape("car", Rectangle(2, 2, 12, 9)), Shape("tree", Circle(30, 10, 5.0)))
    documents = []
    for name in ("a.png", "b.png"):
        folder.mkdir(exist_ok=True)
        Image.fromarray(np.full((20, 40, 3), 200, np.uint8)).save(folder / name)
        documents.append(AnnotatedImage(name, image=folder / name, width=40, height=20, shapes=shapes))
    write_annotations(documents, folder, tool="labelme")
    return folder


def test_tools_are_listed(cli: Cli) -> None:
    assert cli("annotations", "tools") == 0
    assert "labelme" in cli.out and "geojson" in cli.out
    found = {entry["name"]: entry for entry in cli.json("annotations", "tools")}
    assert found["coco"]["read"] and found["coco"]["written"] and not found["geojson"]["read"]


def test_show_counts_and_draws(cli: Cli, export: Path, tmp_path: Path) -> None:
    assert cli("annotations", "show", export, "-o", tmp_path / "seen", "--count", "1") == 0
    assert "labelme, 2 images" in cli.out and "1 circle" not in cli.out.splitlines()[0]
    assert [path.name for path in (tmp_path / "seen").iterdir()] == ["a.jpg"]
    picture = np.asarray(Image.open(tmp_path / "seen/a.jpg"))
    assert picture.shape == (20, 40, 3) and np.ptp(picture[5, 7].astype(int)) > 20 > np.ptp(picture[18, 20].astype(int))
    found = cli.json("annotations", "show", export)
    assert found["labels"]["tree"] == {"shapes": 2, "documents": 2, "geometries": {"circle": 2}}
    assert cli("annotations", "show", export, "-o", tmp_path / "seen") == 2
    assert "exists" in cli.err


def test_check_lists_problems(cli: Cli, export: Path) -> None:
    assert cli("annotations", "check", export) == 0
    assert "No problems found." in cli.out
    (export / "b.png").unlink()
    found = cli.json("annotations", "check", export, "--classes", "car,treee", code=3)
    assert {"image": "b.png", "problem": "the image is missing"} in found["problems"]
    assert {"image": "a.png", "problem": "unknown class 'tree'. Did you mean 'treee'?"} in found["problems"]
    assert cli("annotations", "check", export, "--from", "coco") == 3
    assert "no COCO files" in cli.err


def test_convert_tells_what_is_lost(cli: Cli, export: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "coco.json"
    assert cli("annotations", "convert", export, "-o", target, "--to", "coco", "--copy-images") == 0
    assert "lost on the way:\n  changed 2: a circle became a polygon (a.png, b.png)" in cli.out
    documents = list(open_annotations(target).images())
    assert [document.image for document in documents] == [target.parent / "a.png", target.parent / "b.png"]
    assert cli("annotations", "convert", export, "-o", target, "--to", "coco") == 2
    assert cli("annotations", "convert", target, "-o", tmp_path / "lm", "--to", "labelme") == 0
    assert "nothing was lost" in cli.out
    (export / "b.json").write_text("{")
    assert cli("annotations", "convert", export, "-o", target, "--to", "coco", "--overwrite") == 1
    assert "b.json: broken JSON" in cli.out
    assert cli("annotations", "convert", export, "-o", tmp_path / "x", "--to", "cocoo") == 2
    assert "Did you mean 'coco'?" in cli.err
    assert cli("annotations", "convert", export, "-o", tmp_path / "x", "--to", "coco", "--set", "mask=1") == 2
    assert "have no option 'mask'" in cli.err


def test_rasterize_makes_a_data_set(cli: Cli, export: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks"
    assert cli("annotations", "rasterize", export, "-o", out, "--rule", "coco", "--instances") == 0
    assert "labelme drawn by rule coco, order list" in cli.out
    labels = read_mask(out / "masks/a.png")
    (document, _) = open_annotations(export).images()
    data = open_dataset(out, val_fraction=0)
    assert data.space.names == ("background", "car", "tree")
    assert np.array_equal(labels, rasterize(document, (20, 40), data.space, DrawingRules("coco")))
    assert (labels == 1).sum() == 70 and read_mask(out / "instances/b.png").max() == 2
    assert np.array_equal(data.splits["all"].read(0)[1], labels)
    assert cli("annotations", "rasterize", export, "-o", tmp_path / "m2", "--classes", "tree,car", "--no-images") == 0
    assert read_mask(tmp_path / "m2/masks/a.png")[0, 0] == 255
    assert not (tmp_path / "m2/images").exists()
    assert cli("annotations", "rasterize", export, "-o", tmp_path / "m3", "--classes", "tree") == 3
    assert "no class of this data set is named 'car'" in cli.err
    assert cli("annotations", "rasterize", export, "-o", tmp_path / "m3", "--unlabelled", "nothing") == 2


def test_an_exports_folder_is_checked_as_data(cli: Cli, export: Path) -> None:
    found = cli.json("data", "info", export)
    assert found["layout"] == "annotations"
    assert {"_background_", "car", "tree"} == set(found["label_space"]["names"])


@pytest.mark.parametrize("tool", ["labelme", "cvat", "via", "coco", "labelbox", "rectlabel"])
def test_predictions_can_be_corrected_in_a_tool(cli: Cli, tiny_run: TinyRun, tmp_path: Path, tool: str) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for source in sorted((tiny_run.data / "images").rglob("*.*"))[:2]:
        (photos / source.name).write_bytes(source.read_bytes())
    found = cli.json("segment", photos, "-m", tiny_run.run.best, "-o", tmp_path / "out", "--annotations", tool)
    told = found["annotations"][tool]
    written = Path(told["path"])
    assert all(loss["reason"] == "a class that no shape has" for loss in told["lost"])
    assert cli("annotations", "check", written, "--images", photos) == 0  # nothing crosses itself, for instance
    export = open_annotations(written, tool=tool)
    documents = list(export.images())
    assert len(documents) == 2
    space = open_dataset(tiny_run.data).space
    changed = 0
    for document in documents:
        labels = read_mask(tmp_path / "out" / f"{Path(document.name).stem}.mask.png")
        if tool != "coco":
            assert all(isinstance(shape.geometry, Polygon) and shape.geometry.is_simple for shape in document.shapes)
        drawn = rasterize(document, labels.shape, space, drawing_of(export))  # type: ignore[arg-type]
        assert (drawn == labels).mean() > 0.9
        changed += int((drawn != labels).sum())
    assert changed == told["pixels_changed"] and (tool != "coco" or changed == 0)
    assert cli("segment", photos, "-m", tiny_run.run.best, "-o", tmp_path / "out", "--annotations", tool) == 2
    assert "perhaps with corrections by hand" in cli.err


def test_rasterize_leaves_other_classes_out_when_asked(cli: Cli, export: Path, tmp_path: Path) -> None:
    command = ("annotations", "rasterize", export, "-o", tmp_path / "out", "--classes", "background,car")
    assert cli(*command) == 3 and "no class of this data set is named 'tree'" in cli.err
    for others, value in (("background", 0), ("ignore", 255)):
        found = cli.json(*command, "--others", others, "--overwrite")
        labels = read_mask(tmp_path / "out/masks/a.png")
        assert (labels[5, 6], labels[10, 30], labels[19, 0]) == (1, value, 0)
        (lost,) = [loss for loss in found["lost"] if "class that was not asked for" in loss["reason"]]
        assert (lost["kind"], lost["count"], lost["examples"]) == ("changed", 2, ["tree"])
    assert cli(*command, "--others", "ignored", "--overwrite") == 2
    assert "Did you mean 'ignore'?" in cli.err


def test_check_tells_how_to_find_images(cli: Cli, export: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        (export / name).rename(tmp_path / "photos" / name)
    assert cli("annotations", "check", export) == 3
    assert "Problems found: 2." in cli.out and "--images FOLDER" in cli.out
    assert cli("annotations", "check", export, "--images", tmp_path / "photos") == 0


def test_message_and_exit_code_of_check_agree(cli: Cli, tmp_path: Path) -> None:
    Image.new("RGB", (40, 20)).save(tmp_path / "a.jpg")
    box = "<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    (tmp_path / "a.xml").write_text(
        "<annotation><filename>a.jpg</filename><source><database>x</database></source><size><width>40</width>"
        f"<height>20</height></size><object><name>person</name>{box}<part><name>head</name>{box}</part></object>"
        "</annotation>"
    )
    assert cli("annotations", "check", tmp_path) == 3
    assert "Left out, as it cannot be read: 1 entry (see above)." in cli.out
    assert "No problems found" not in cli.out and "Next:" not in cli.out


def test_check_goes_through_all_missing_masks(cli: Cli, tmp_path: Path) -> None:
    rows = []
    for name in ("a", "b"):
        Image.new("RGB", (40, 20)).save(tmp_path / f"{name}.jpg")
        thing = {"feature_id": f"f{name}", "name": "car", "mask": {"url": "https://example.org/x"}}
        row = {"data_row": {"id": name, "external_id": f"{name}.jpg"}, "media_attributes": {"width": 40, "height": 20}}
        label = {"id": "l", "annotations": {"objects": [thing], "classifications": []}}
        rows.append(json.dumps(row | {"projects": {"p": {"labels": [label]}}}))
    (tmp_path / "export.ndjson").write_text("\n".join(rows))
    assert cli("annotations", "check", tmp_path) == 3
    assert "dropped 2: a mask's file is missing" in cli.out
    assert "Left out, as it cannot be read: 2 entries (see above)." in cli.out


def test_every_photo_is_shown_also_of_like_names(cli: Cli, tmp_path: Path) -> None:
    documents = []
    for name in ("a.png", "a.jpg"):
        Image.new("RGB", (40, 20)).save(tmp_path / name)
        documents.append(AnnotatedImage(name, image=tmp_path / name, width=40, height=20))
    write_annotations(documents, tmp_path / "x.json", tool="coco")
    assert len(cli.json("annotations", "show", tmp_path, "-o", tmp_path / "seen")["pictures"]) == 2
    assert len(list((tmp_path / "seen").iterdir())) == 2


def test_several_tools_and_the_form_of_outlines(cli: Cli, tiny_run: TinyRun, tmp_path: Path) -> None:
    (photo, *_) = sorted((tiny_run.data / "images").rglob("*.*"))
    command = ("segment", photo, "-m", tiny_run.run.best, "-o", tmp_path, "--overwrite")
    found = cli.json(*command, "--annotations", "coco,labelme", "--annotations", "yolo")["annotations"]
    assert set(found) == {"coco", "labelme", "yolo"} and found["coco"]["pixels_changed"] == 0
    exact = cli.json(*command, "--annotations", "labelme", "--outline-tolerance", "0", "--outline-least-area", "0")
    assert exact["annotations"]["labelme"]["pixels_changed"] == 0
    assert cli(*command, "--outline-tolerance", "2") == 2
    assert "--outline-tolerance and --outline-least-area are for --annotations" in cli.err
