"""Every medium in the studio's project: what is seen is what the loader reads, and labels go back onto its grid."""

from __future__ import annotations

import io
import json
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filmed import moving_squares
from PIL import Image
from volumes_made import body, write_nifti

from intarsia.datasets import open_dataset
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace
from intarsia.media.images import read_image, read_mask
from intarsia.media.png import encode_mask
from intarsia.media.seeking import SeekingVideo
from intarsia.media.video import open_video
from intarsia.media.volumes import open_volume
from intarsia.serving.project import Project, open_project
from intarsia.serving.project.exporting import MASKS, export, forms
from intarsia.serving.project.views import encode

SPACE = LabelSpace(("body", "organ", "lesion"), ((10, 20, 30), (200, 0, 0), (0, 200, 0)))


def png(labels: np.ndarray) -> bytes:
    return encode_mask(labels.astype(np.uint8), SPACE)


def opened(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)


def scan(folder: Path, codes: str = "LPS") -> tuple[Path, np.ndarray]:
    values, labels = body()
    return write_nifti(folder / "scan.nii.gz", values, codes=codes), labels


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "work", default=lambda: SPACE)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_shown_upright(project: Project, tmp_path: Path, orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 9, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "photo.png", exif=exif)
    name = project.add("photo.png", tmp_path / "photo.png")
    width, height, frames = project.facts(name)
    assert (width, height, frames) == ((9, 5, None) if orientation < 5 else (5, 9, None))
    shown = opened(encode(project.views.picture(project.item(name))))
    assert np.array_equal(shown, read_image(tmp_path / "photo.png")) and shown.shape == (height, width, 3)


def test_deep_pictures_take_a_window(project: Project, tmp_path: Path) -> None:
    values = np.arange(0, 4000, 100, dtype=np.uint16).reshape(5, 8)
    Image.fromarray(values).save(tmp_path / "deep.png")
    item = project.item(project.add("deep.png", tmp_path / "deep.png"))
    assert np.array_equal(project.views.picture(item), read_image(tmp_path / "deep.png"))
    windowed = project.views.picture(item, window=(0.0, 2000.0))
    assert windowed[0, 0, 0] == 0 and windowed[-1, -1, 0] == 255
    assert not np.array_equal(windowed, project.views.picture(item))


def test_thumbnails_keep_the_shape(project: Project, tmp_path: Path) -> None:
    Image.new("RGB", (400, 100), (9, 8, 7)).save(tmp_path / "wide.jpg")
    item = project.item(project.add("wide.jpg", tmp_path / "wide.jpg"))
    assert project.views.thumbnail(item, 64).shape == (16, 64, 3)
    assert project.views.thumbnail(item, 1000).shape == (100, 400, 3)


@pytest.mark.parametrize("codes", ["LPS", "RAS", "SPL"])
def test_slices_are_labelled_on_the_scan_s_own_grid(project: Project, tmp_path: Path, codes: str) -> None:
    path, labels = scan(tmp_path, codes)
    name = project.add("scan.nii.gz", path)
    assert project.facts(name) == (14, 12, 9)
    reader = open_volume(path)
    shown = project.views.picture(project.item(name), 4, (-1000.0, 200.0))
    assert np.array_equal(shown[..., 0], reader.read((-1000.0, 200.0), "axial")[4])
    seen = write_nifti(tmp_path / "labels.nii.gz", labels, codes="RAS")
    axial = open_volume(seen).grid.view(open_volume(seen).labels(), "axial")
    for frame in (3, 4):
        assert project.put(name, png(axial[frame]), expected=0, frame=frame) == 1
    assert project.status(name).labelled == (3, 4) and project.status(name).revision == 2
    project.gather()
    written = open_volume(project.folder / "volumes" / "masks" / "scan.nii.gz")
    assert np.allclose(written.grid.affine, reader.grid.affine)
    back = written.grid.view(written.labels(), "axial")
    assert np.array_equal(back[3:5], axial[3:5]) and set(np.unique(back[:3])) == {255}
    assert open_dataset(project.folder / "volumes").first.medium == "volume"


def test_a_labelled_scan_is_opened_slice_by_slice(tmp_path: Path) -> None:
    values, labels = body()
    write_nifti(tmp_path / "data" / "imagesTr" / "a.nii.gz", values)
    write_nifti(tmp_path / "data" / "labelsTr" / "a.nii.gz", labels)
    project = open_project(tmp_path / "state", tmp_path / "data", default=lambda: SPACE)
    (name,) = project.items()
    assert project.facts(name) == (14, 12, 9) and len(project.status(name).labelled) == 9
    axial = open_volume(tmp_path / "data" / "labelsTr" / "a.nii.gz")
    expected = axial.grid.view(axial.labels(), "axial")
    found = project.labels(name, 5)
    assert found is not None and np.array_equal(opened(found[0]), expected[5])
    changed = np.full_like(expected[5], 2)
    assert project.put(name, encode_mask(changed, project.space), expected=1, frame=5) == 2
    project.gather()
    written = open_volume(project.folder / "volumes" / "masks" / f"{name}.nii.gz")
    view = written.grid.view(written.labels(), "axial")
    assert (view[5] == 2).all() and np.array_equal(view[:5], expected[:5])


def geotiff(path: Path, dtype: str = "uint8", bands: int = 3) -> Path:
    rasterio = pytest.importorskip("rasterio")
    values = np.random.default_rng(0).integers(0, 255, (bands, 20, 30)).astype(dtype)
    place = rasterio.Affine(2, 0, 500_000, 0, -2, 4_000_000)
    path.parent.mkdir(exist_ok=True, parents=True)
    with rasterio.open(path, "w", driver="GTiff", width=30, height=20, count=bands, dtype=dtype, crs="EPSG:32633",
                       transform=place) as file:  # fmt: skip
        file.write(values * (1 if dtype == "uint8" else 20))
    return path


@pytest.mark.parametrize(("dtype", "bands"), [("uint8", 3), ("uint16", 3), ("uint16", 5), ("float32", 1)])
def test_maps_keep_their_place(project: Project, tmp_path: Path, dtype: str, bands: int) -> None:
    rasterio = pytest.importorskip("rasterio")
    name = project.add("map.tif", geotiff(tmp_path / "map.tif", dtype, bands))
    item = project.item(name)
    assert item.medium == "raster" and project.facts(name) == (30, 20, None)
    assert project.views.picture(item).shape == (20, 30, 3)
    labels = np.zeros((20, 30), np.uint8)
    labels[5:] = 2
    project.put(name, png(labels), expected=0)
    export(project, "png", tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.namelist() == ["masks/map.tif", "classes.json"]
        archive.extract("masks/map.tif", tmp_path)
    with rasterio.open(tmp_path / "masks" / "map.tif") as file:
        assert file.crs.to_epsg() == 32633 and file.transform.c == 500_000 and file.transform.a == 2
        assert np.array_equal(file.read(1), labels)


def clip(path: Path, pts: list[int] | None = None, *, rotation: int = 0, bf: int = 0) -> Path:
    """Twenty frames a second and a half long, of key frames every six; times before 0 are cut away by an edit list."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", container_options={"avoid_negative_ts": "disabled"}) as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "5", "g": "6", "bf": str(bf)})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100)
        if rotation:
            stream.set_display_rotation(rotation)
        for picture, when in zip(moving_squares(20), pts or range(0, 200, 10), strict=False):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = when, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


CLIPS: dict[str, dict[str, Any]] = {
    "constant rate": {}, "b-frames": {"bf": 2}, "rotated": {"rotation": 90},
    "variable rate": {"pts": [0, 3, 10, 14, 40, 41, 43, 60, 90, 91, 95, 120, 124, 130, 160, 170]},
    "edit list": {"pts": list(range(-35, 165, 10)), "bf": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", CLIPS)
def test_frames_in_any_order_are_those_of_a_reading(tmp_path: Path, name: str) -> None:
    path = clip(tmp_path / "clip.mp4", **CLIPS[name])
    every = list(open_video(path))
    assert len(every) == (16 if name in ("variable rate", "edit list") else 20)
    seeking = SeekingVideo(path)
    assert list(seeking.pts) == [frame.pts for frame in every]
    for index in (len(every) - 1, 0, 7, 6, 11, 5, 1):
        found = seeking.frame(index)
        assert (found.index, found.pts) == (index, every[index].pts)
        assert np.array_equal(found.image, every[index].image)
    with pytest.raises(DataError, match="there is no frame"):
        seeking.frame(len(every))


def test_frames_of_a_video_become_pictures_with_masks(project: Project, tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4")
    name = project.add("My clip.mp4", path)
    assert name == "My_clip" and project.facts(name) == (64, 48, 20)
    assert project.views.open(project.item(name)).details()["times"][:3] == (0.0, 0.1, 0.2)
    labels = np.ones((48, 64), np.uint8)
    assert project.put(name, png(labels), expected=0, frame=7) == 1
    found = open_dataset(project.folder, val_fraction=0)
    (item,) = found.first.items
    image, target = found.first.read(0)
    assert np.array_equal(image, list(open_video(path))[7].image) and (target == 1).all()
    assert str(item.input).endswith("frames/images/My_clip_000007.png")
    with pytest.raises(UsageError, match="no frame 20"):
        project.put(name, png(labels), expected=0, frame=20)
    project.remove(name)
    assert [path.name for path in project.folder.rglob("My_clip*")] == []


@pytest.mark.parametrize("tool", sorted({*forms()} - {MASKS, "geojson"}))  # outlines of a map are no data set
def test_exports_of_annotation_tools_are_read_back(tmp_path: Path, tool: str) -> None:
    project = Project(tmp_path / "work", default=lambda: SPACE)
    labels = np.zeros((40, 60), np.uint8)
    labels[5:30, 10:40] = 2
    for name in ("a", "b.c"):
        Image.new("RGB", (60, 40), (50, 60, 70)).save(tmp_path / f"{name}.png")
        project.put(project.add(f"{name}.png", tmp_path / f"{name}.png"), png(labels), expected=0)
    export(project, tool, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        archive.extractall(tmp_path / "out")
        assert "images/" not in " ".join(archive.namelist())
    (tmp_path / "out" / "images").symlink_to(project.folder / "images")
    found = open_dataset(tmp_path / "out", val_fraction=0)
    for index in range(2):
        target = found.first.read(index)[1]
        lesion = found.space.names.index("lesion")
        assert (target[6:29, 11:39] == lesion).all() and not (target[:4] == lesion).any()


@pytest.mark.parametrize("tool", ["labelme", "coco"])
def test_what_nobody_knows_is_no_shape_of_a_tool(tmp_path: Path, tool: str) -> None:
    space = LabelSpace(("meadow", "Void", "lake"))
    project = Project(tmp_path / "work", default=lambda: space)
    labels = np.full((40, 60), space.ignore_index, np.uint8)
    labels[5:30, 5:30], labels[5:30, 30:50] = 1, 2
    Image.new("RGB", (60, 40)).save(tmp_path / "a.png")
    project.put(project.add("a.png", tmp_path / "a.png"), encode_mask(labels, space), expected=0)
    export(project, tool, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("json"))
        told = json.loads(archive.read(name))
    if tool == "labelme":
        found = {shape["label"] for shape in told["shapes"]}
    else:
        categories = {one["id"]: one["name"] for one in told["categories"]}
        found = {categories[one["category_id"]] for one in told["annotations"]}
    assert found == {"lake"}
    # A mask keeps every class.
    export(project, "png", tmp_path / "masks.zip")
    with zipfile.ZipFile(tmp_path / "masks.zip") as archive:
        assert np.array_equal(opened(archive.read("masks/a.png")), labels)


def test_equal_labels_make_equal_archives(project: Project, tmp_path: Path) -> None:
    Image.new("RGB", (60, 40)).save(tmp_path / "a.png")
    project.put(project.add("a.png", tmp_path / "a.png"), png(np.ones((40, 60))), expected=0)
    for number in (1, 2):
        export(project, "png", tmp_path / f"{number}.zip")
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    assert read_mask(project.folder / "masks" / "a.png").max() == 1


def test_unknown_forms_of_export(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'labelme'"):
        export(project, "labelmee", tmp_path / "out.zip")
