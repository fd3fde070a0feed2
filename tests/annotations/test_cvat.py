"""CVAT: the real exports, the rules of the format, round trips, bad files."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from annotations.documents import assert_same, bare, images, sets, texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from intarsia.annotations.document import AnnotatedImage, AnnotatedVideo, Attribute, Category, Keyframe, Shape, Track
from intarsia.annotations.formats import cvat
from intarsia.annotations.formats.cvat.shapes import attributes_of
from intarsia.annotations.geometry import (
    Bezier,
    Circle,
    Cuboid,
    Ellipse,
    Keypoint,
    Mask,
    Points,
    Polygon,
    Polyline,
    Rectangle,
    Skeleton,
    Tag,
)
from intarsia.annotations.raster import rasterize
from intarsia.annotations.tools import open_annotations, recognise
from intarsia.errors import DataError
from intarsia.labels import LabelSpace

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'


@pytest.fixture
def real(real_data: Path) -> Path:
    folder = real_data / "annotations" / "cvat"
    if not folder.is_dir():
        pytest.skip(f"no CVAT samples at {folder}")
    return folder


def xml(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "annotations.xml"
    path.write_text(f"{HEAD}{body}</annotations>\n", encoding="utf-8")
    return path


def shapes(tmp_path: Path, body: str) -> tuple[tuple[Shape, ...], str]:
    opened = cvat.read(xml(tmp_path, f'<image id="0" name="a.jpg" width="20" height="10">{body}</image>'))
    (image,) = opened.images()
    return image.shapes, str(opened.lost)


def test_masks_equal_the_companion_png(real: Path) -> None:
    (image,) = cvat.read(real / "next-cvat" / "mask_annotations.xml").images()
    mask = image.shapes[0].geometry
    assert isinstance(mask, Mask)
    assert image.name == "example batch/20230120_122959_2011T_10132714_10134250.png"
    whole = np.zeros((1536, 4096), bool)
    height, width = mask.bitmap.shape
    whole[mask.top : mask.top + height, mask.left : mask.left + width] = mask.bitmap
    expected = np.asarray(Image.open(real / "next-cvat" / "test_vegetation_mask.png")) > 0
    assert np.count_nonzero(whole ^ expected) == 0
    # Written and read again, the runs are the same.
    tag, attributes = attributes_of(mask)
    assert tag == "mask"
    assert f'rle="{attributes["rle"]}"' in (real / "next-cvat" / "mask_annotations.xml").read_text()


def test_every_shape_of_the_official_example(real: Path) -> None:
    opened = cvat.read(real / "docs" / "images_1.1_doc_example.xml")
    (image,) = opened.images()
    assert (image.name, image.width, image.height, image.image) == ("filename000.jpg", 1600, 1200, None)
    kinds = [type(shape.geometry) for shape in image.shapes]
    assert kinds == [Rectangle, Polygon, Polyline, Polyline, Points, Tag, Skeleton, Mask]
    assert [shape.z for shape in image.shapes] == [4, 1, 3, 2, 5, 0, 0, 0]
    assert image.shapes[0].geometry == Rectangle(797.33, 870.92, 965.52, 928.94)
    skeleton = image.shapes[6].geometry
    assert isinstance(skeleton, Skeleton)
    assert skeleton.points[0] == Keypoint("1", 54.47, 94.81)
    assert [category.name for category in opened.categories] == ["car", "traffic_line", "wheel", "plate", "s1"]
    assert opened.categories[4].keypoints == ("1", "2", "3")
    assert not opened.lost


def test_a_project_with_subsets_and_typed_attributes(real: Path) -> None:
    opened = cvat.read(real / "open-edge_datumaro" / "for_images" / "export_project")
    found = list(opened.images())
    assert [(image.subset, image.name) for image in found[:3]] == [
        ("Test", "img0.jpg"),
        ("Test", "img1.jpg"),
        ("Train", "img0.jpg"),
    ]
    places = [image.image.relative_to(opened.root).as_posix() for image in found if image.image]
    assert places[:3] == ["images/Test/img0.jpg", "images/Test/img1.jpg", "images/Train/img0.jpg"]
    assert len(places) == 6
    assert found[0].shapes[0].attributes == {"a1": True, "a2": "v3", "a3": "0003", "a4": 2.4}
    assert found[0].shapes[0].occluded
    assert not opened.lost


def test_names_in_other_scripts(real: Path) -> None:
    found = list(cvat.read(real / "coins_polygons_unicode").images())
    assert (len(found), sum(len(image.shapes) for image in found)) == (29, 122)
    assert sum(image.image is not None for image in found) == 5


@pytest.mark.parametrize("folder", ["cvat-ai_datumaro", "open-edge_datumaro"])
def test_video_with_steps(real: Path, folder: str) -> None:
    (video,) = cvat.read(real / folder / "for_video")
    assert isinstance(video, AnnotatedVideo)
    assert (video.name, video.start, video.stop, video.step) == ("t.mp4", 10, 19, 3)
    assert (video.width, video.height) == (25, 20)
    frames = list(video.images())
    assert [frame.frame for frame in frames] == [10, 13, 16, 19]
    assert frames[0].shapes[0].geometry == Rectangle(3, 4, 10, 5)
    points = Points(((21.95, 8.0), (2.55, 15.09), (2.23, 3.16)))
    assert frames[0].shapes[1].geometry == points
    assert frames[0].shapes[1].attributes == {"hgl": "hgkf"}
    assert isinstance(frames[1].shapes[0].geometry, Polyline)
    assert frames[0].image is not None
    assert frames[0].image.name == "frame_000010.png"


def test_skeletons_in_both_nestings(real: Path) -> None:
    (nested,) = cvat.read(real / "cvat-ai_datumaro" / "for_video")
    assert isinstance(nested, AnnotatedVideo)
    skeleton = nested.tracks[3]
    assert [keyframe.frame for keyframe in skeleton.keyframes] == [10, 13, 16]
    states = [[point.state for point in k.geometry.points] for k in skeleton.keyframes]  # type: ignore[union-attr]
    assert states == [["visible"] * 4, *[["visible", "visible", "absent", "visible"]] * 2]
    (inside,) = cvat.read(real / "docs" / "video_1.1_doc_example.xml")
    assert isinstance(inside, AnnotatedVideo)
    track = inside.tracks[1]
    assert [(k.frame, k.outside) for k in track.keyframes][:4] == [(0, False), (1, True), (6, False), (7, True)]
    assert [point.name for point in track.keyframes[0].geometry.points] == ["1", "2", "3"]  # type: ignore[union-attr]


def test_keyframes_alone_interpolate_to_the_official_positions(real: Path) -> None:
    """CVAT wrote 110 of 140 boxes itself, between keyframes: without them ours are the same."""
    (video,) = cvat.read(real / "video_box_tracks" / "annotations.xml")
    assert isinstance(video, AnnotatedVideo)
    assert sum(k.interpolated for track in video.tracks for k in track.keyframes) == 110
    sparse = replace(
        video,
        tracks=tuple(
            replace(track, keyframes=tuple(k for k in track.keyframes if not k.interpolated)) for track in video.tracks
        ),
    )
    compared = 0
    for theirs, ours in zip(video.images(), sparse.images(), strict=True):
        assert len(theirs.shapes) == len(ours.shapes)
        for one, two in zip(theirs.shapes, ours.shapes, strict=True):
            assert_same(two.geometry, one.geometry, tolerance=0.02)
            compared += 1
    assert compared == 136


def test_rotation_order_and_groups(tmp_path: Path) -> None:
    found, lost = shapes(
        tmp_path,
        '<box label="a" xtl="6" ytl="2" xbr="1" ybr="4" rotation="30.5" z_order="-2" occluded="1" group_id="7"/>'
        '<ellipse label="b" cx="5" cy="4" rx="3" ry="2" rotation="10" source="auto" group_id="0"/>'
        '<cuboid label="c" xtl1="1" ytl1="2" xbl1="3" ybl1="4" xtr1="5" ytr1="6" xbr1="7" ybr1="8" '
        'xtl2="9" ytl2="10" xbl2="11" ybl2="12" xtr2="13" ytr2="14" xbr2="15" ybr2="16"/>',
    )
    assert found[0] == Shape("a", Rectangle(1, 2, 6, 4, 30.5), instance=7, z=-2, occluded=True)
    assert found[1] == Shape("b", Ellipse(5, 4, 3, 2, 10), source="auto")
    assert isinstance(found[2].geometry, Cuboid)
    assert found[2].geometry.points[::7] == ((1, 2), (15, 16))
    assert lost == ""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('<blob label="a"/>', "shape type 'blob' is unknown"),
        ('<polygon label="a" points="1,2;3,4"/>', "a polygon has fewer than 3 points"),
        ('<polygon label="a" points="1,2;3,4;nan,5"/>', "not finite"),
        ('<polygon label="a" points="1,2;3,4;inf,5"/>', "not finite"),
        ('<polygon label="a" points="1,2;3;4,5,6"/>', "not a list of x,y pairs"),
        ('<polygon label="a" points="1,2;3,4;x,5"/>', "not a number"),
        ('<polygon label="a" points="1,2;3,4;1e9,5"/>', "far outside every image"),
        ('<polygon label="a"/>', "not a list of x,y pairs"),
        ('<box label="a" xtl="1" ytl="2" xbr="3"/>', "not a number"),
        ('<ellipse label="a" cx="1" cy="1" rx="-1" ry="2"/>', "negative radius"),
        ('<mask label="a" rle="1,2" left="0" top="0" width="2" height="2"/>', "do not add up"),
        ('<mask label="a" rle="5,-1" left="0" top="0" width="2" height="2"/>', "do not add up"),
        ('<mask label="a" rle="9999999999999999999" left="0" top="0" width="2" height="2"/>', "not whole numbers"),
        ('<mask label="a" rle="4" left="0" top="0" width="99999" height="99999"/>', "larger than any image"),
        ('<mask label="a" rle="400000000" left="0" top="0" width="20000" height="20000"/>', "larger than its image"),
        ('<mask label="a" rle="4" left="0" top="0" width="2"/>', "lacks 'height'"),
        ('<mask label="a" rle="4" left="x" top="0" width="2" height="2"/>', "not whole numbers"),
    ],
)
def test_bad_shapes_are_counted_and_left_out(tmp_path: Path, body: str, reason: str) -> None:
    found, lost = shapes(tmp_path, body + '<box label="b" xtl="1" ytl="2" xbr="3" ybr="4"/>')
    assert [shape.label for shape in found] == ["b"]
    assert lost.startswith("dropped 1: ")
    assert reason in lost
    assert "annotations.xml: a.jpg: shape 1" in lost


@pytest.mark.parametrize("name", ["../../etc/passwd.png", "/etc/a.png", "C:\\secret\\a.png", "..\\..\\a.png"])
def test_no_name_leads_outside(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "passwd.png")
    inside = tmp_path / "export"
    inside.mkdir()
    (image,) = cvat.read(xml(inside, f'<image id="0" name="{name}" width="4" height="4"/>')).images()
    assert image.image is None
    assert "\\" not in image.name


def test_doubtful_entries_are_said(tmp_path: Path) -> None:
    body = '<image id="0" name="a.jpg" width="4" height="4"/>' * 2 + '<image id="2" width="4" height="4"/><thing/>'
    opened = cvat.read(xml(tmp_path, body))
    assert len(list(opened)) == 2
    assert opened.lost.count("changed", "same image name") == 1
    assert opened.lost.count("dropped", "no name") == 1
    assert opened.lost.count("dropped", "unknown") == 1


@pytest.mark.parametrize("size", ['width="0.5" height="4"', 'width="x" height="4"', 'width="-1" height="4"'])
def test_impossible_sizes_are_errors(tmp_path: Path, size: str) -> None:
    with pytest.raises(DataError, match=r"annotations\.xml: a\.jpg: width is .*not a number of pixels"):
        list(cvat.read(xml(tmp_path, f'<image id="0" name="a.jpg" {size}/>')))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<annotation><object/></annotation>")
    with pytest.raises(DataError, match="begins with <annotation>"):
        cvat.read(path)
    with pytest.raises(DataError, match="no CVAT XML"):
        cvat.read(tmp_path)
    assert not cvat.sniff(tmp_path)


def test_one_broken_file_of_two_is_counted(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    xml(tmp_path / "one", '<image id="0" name="a.jpg" width="4" height="4"/>')
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "b.xml").write_text("<annotations><image name='b.jpg'")
    opened = cvat.read(tmp_path)
    assert [image.name for image in opened.images()] == ["a.jpg"]
    assert opened.lost.count("dropped", "a file that cannot be used") == 1
    with pytest.raises(DataError, match="broken XML"):
        cvat.read(tmp_path / "two")


def test_an_endless_video_is_refused(tmp_path: Path) -> None:
    track = '<track id="0" label="a"><box frame="{}" outside="0" xtl="1" ytl="1" xbr="2" ybr="2"/></track>'
    path = xml(tmp_path, track.format(0) + track.format(99999999999))
    with pytest.raises(DataError, match="which is no video"):
        list(cvat.read(path))


def test_the_zip_that_cvat_gives(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(picture)
    body = '<image id="0" name="sub/ж a.png" subset="Train" width="4" height="4"/>'
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.write(xml(tmp_path, body), "annotations.xml")
        archive.write(picture, "images/Train/sub/ж a.png")
    (image,) = open_annotations(tmp_path / "export.zip").images()
    assert image.image is not None
    assert image.image.as_posix().endswith("images/Train/sub/ж a.png")


def test_the_higher_layer_lies_on_top(tmp_path: Path) -> None:
    square = '<polygon label="{}" points="{},2;8,2;8,8;{},8" z_order="{}"/>'
    body = square.format("a", 2, 2, 5) + square.format("b", 4, 4, 1)
    (image,) = cvat.read(xml(tmp_path, f'<image id="0" name="a.jpg" width="10" height="10">{body}</image>')).images()
    drawn = rasterize(image, (10, 10), LabelSpace(("background", "a", "b")), cvat.TOOL.drawing)
    # Edges: 6 x 6 pixels of a, nothing of b, which lies below.
    assert np.bincount(drawn.ravel(), minlength=3).tolist() == [64, 36, 0]


def test_bad_tracks_are_counted(tmp_path: Path) -> None:
    good = '<box frame="{}" outside="0" keyframe="1" xtl="1" ytl="1" xbr="2" ybr="2"/>'
    body = f'<track id="0" label="a">{good.format(4)}{good.format(2)}{good.format(2)}<box frame="x"/></track>'
    opened = cvat.read(xml(tmp_path, body + '<track id="1" label="b"/>'))
    (video,) = opened
    assert isinstance(video, AnnotatedVideo)
    assert [k.frame for k in video.tracks[0].keyframes] == [2, 4]
    assert opened.lost.count("dropped", "several shapes in one frame") == 1
    assert opened.lost.count("dropped", "no frame number") == 1
    assert opened.lost.count("dropped", "has no shape") == 1


def test_what_cvat_cannot_store_is_said(tmp_path: Path) -> None:
    hole = Polygon(((((0, 0), (9, 0), (9, 9), (0, 9)), ((2, 2), (2, 6), (6, 6), (6, 2))),))
    two = Polygon.of([(0, 0), (3, 0), (3, 3)], [(5, 5), (8, 5), (8, 8)])
    bezier = Bezier(((0, 0), (9, 0), (9, 9)), ((1, 0), (9, 1), (8, 9)), ((0, 1), (8, 0), (9, 8)))
    document = AnnotatedImage(
        "a.jpg",
        width=12,
        height=11,
        shapes=(
            Shape("hole", hole),
            Shape("two", two),
            Shape("bezier", bezier),
            Shape("circle", Circle(5, 5, 3), instance=0, score=0.5),
            Shape("empty", Mask(np.zeros((0, 0), bool))),
            Shape("lists", Rectangle(1, 1, 2, 2), attributes={"a": ["x", "y"], "b\0": 1}),
            Shape("lists", Rectangle(1, 1, 2, 2), attributes={"b\0": "text"}),
        ),
        attributes={"weather": "rain"},
        time=2.0,
    )
    path = tmp_path / "out.xml"
    lost = cvat.write([document], path)
    for reason in (
        "a polygon with holes became a mask",
        "several parts became several shapes",
        "a bezier became a polygon",
        "a circle became an ellipse",
        "instance number below 1",
        "the score of a shape",
        "an empty shape",
        "a list of values became one text",
        "values of several kinds became text",
        "a character that XML cannot hold",
        "the attributes of an image",
        "the time of an image",
    ):
        assert lost.count(containing=reason), reason
    (image,) = cvat.read(path).images()
    assert [type(shape.geometry).__name__ for shape in image.shapes] == [
        "Mask", "Polygon", "Polygon", "Polygon", "Ellipse", "Rectangle", "Rectangle",
    ]  # fmt: skip
    assert image.shapes[1].instance == image.shapes[2].instance is not None
    mask = image.shapes[0].geometry
    assert isinstance(mask, Mask)
    # CVAT's rule: edges, so that 9 x 9 pixels less the hole's 4 x 4 are left.
    assert np.count_nonzero(mask.bitmap) == 81 - 16


def test_nothing_or_no_size_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to write"):
        cvat.write([], tmp_path / "a.xml")
    with pytest.raises(DataError, match=r"the size of a\.jpg is not known"):
        cvat.write([AnnotatedImage("a.jpg")], tmp_path / "a.xml")
    assert not list(tmp_path.iterdir())


def test_real_files_survive_the_round_trip(real: Path, tmp_path: Path) -> None:
    checked = 0
    for path in sorted(real.rglob("*.xml")):
        opened = cvat.read(path)
        before = list(opened)
        lost = cvat.write(before, tmp_path / "out.xml", categories=opened.categories)
        assert not lost, path
        again = cvat.read(tmp_path / "out.xml")
        after = list(again)
        assert [replace(one, source=Path(), image=None) for one in after if isinstance(one, AnnotatedImage)] == [
            replace(one, source=Path(), image=None) for one in before if isinstance(one, AnnotatedImage)
        ]
        assert [one.tracks for one in after if isinstance(one, AnnotatedVideo)] == [
            one.tracks for one in before if isinstance(one, AnnotatedVideo)
        ]
        assert again.categories[: len(opened.categories)] == opened.categories
        checked += len(before)
    assert checked > 40


def test_the_registry_finds_it(real: Path) -> None:
    for path in (real / "docs" / "images_1.1_doc_example.xml", real / "coins_polygons_unicode"):
        tool = recognise(path)
        assert tool is not None
        assert tool.name == "cvat"


KINDS = (Polygon, Polyline, Points, Rectangle, Ellipse, Cuboid, Mask, Skeleton)
FIELDS = {
    "z": st.integers(-3, 3),
    "occluded": st.booleans(),
    "instance": st.none() | st.integers(1, 9),
    "source": st.sampled_from(("", "manual", "auto")),
}
# One kind of value a name, as CVAT declares it.
ATTRIBUTES = st.fixed_dictionaries(
    {}, optional={"text": texts, "n": st.integers(-5, 5), "x": st.floats(-9, 9), "yes": st.booleans()}
)
quick = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@quick
@given(sets(images(KINDS, attributes=ATTRIBUTES, shape_fields=FIELDS)))
def test_images_survive_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, documents: list[AnnotatedImage]
) -> None:
    path = tmp_path_factory.mktemp("cvat") / "out.xml"
    lost = cvat.write(documents, path)
    assert not lost
    opened = cvat.read(path)
    assert_same([bare(image) for image in opened.images()], documents)
    assert not opened.lost


@quick
@given(sets(images((*KINDS, Bezier, Circle, Tag), shape_fields={"score": st.none() | st.floats(0, 1)})))
def test_any_document_is_written_and_nothing_goes_silently(
    tmp_path_factory: pytest.TempPathFactory, documents: list[AnnotatedImage]
) -> None:
    path = tmp_path_factory.mktemp("cvat") / "out.xml"
    lost = cvat.write(documents, path)
    found = [bare(image) for image in cvat.read(path).images()]
    assert [len(image.shapes) for image in found] == [len(image.shapes) for image in documents]
    if not lost:
        assert_same(found, documents)


@st.composite
def videos(draw: st.DrawFn) -> AnnotatedVideo:
    step = draw(st.integers(1, 3))
    kinds = draw(st.sampled_from(KINDS[:-1]))
    tracks = []
    for number in range(draw(st.integers(1, 3))):
        chosen = sorted(draw(st.sets(st.integers(0, 5), min_size=1, max_size=4)))
        shapes = draw(images((kinds,)).filter(lambda image: image.shapes)).shapes
        keyframes = tuple(
            Keyframe(
                5 + step * frame,
                shapes[index % len(shapes)].geometry,
                outside=draw(st.booleans()),
                occluded=draw(st.booleans()),
                interpolated=draw(st.booleans()),
                z=draw(st.integers(0, 2)),
                attributes={"pose": draw(texts)},
            )
            for index, frame in enumerate(chosen)
        )
        tracks.append(Track("car", keyframes, number, {"plate": draw(texts)}, draw(st.sampled_from(("", "manual")))))
    return AnnotatedVideo("v ж.mp4", tuple(tracks), 5, 5 + 5 * step, step, width=30, height=30)


@quick
@given(videos())
def test_videos_survive_the_round_trip(tmp_path_factory: pytest.TempPathFactory, video: AnnotatedVideo) -> None:
    path = tmp_path_factory.mktemp("cvat") / "out.xml"
    assert not cvat.write([video], path)
    (found,) = cvat.read(path)
    assert isinstance(found, AnnotatedVideo)
    assert_same(replace(found, source=Path(), tool=""), video)


def test_images_and_videos_together_become_a_project(tmp_path: Path) -> None:
    video = AnnotatedVideo("a.mp4", (Track("car", (Keyframe(0, Rectangle(0, 0, 2, 2)),), 0),), 0, 4)
    other = replace(video, name="b.mp4", tracks=(Track("dog", (Keyframe(2, Rectangle(0, 0, 2, 2)),), 1),))
    image = AnnotatedImage("c.jpg", width=4, height=4, shapes=(Shape("cat", Rectangle(0, 0, 1, 1)),))
    lost = cvat.write([video, image, other], tmp_path / "out.xml")
    assert not lost
    found = list(cvat.read(tmp_path / "out.xml"))
    assert [one.name for one in found] == ["c.jpg", "a.mp4", "b.mp4"]


def test_declared_classes_survive(tmp_path: Path) -> None:
    fields = (
        Attribute("color", ("red", "green"), "select", "red", mutable=True),
        Attribute("ok", ("true", "false"), "checkbox", "false"),
    )
    categories = (Category("car", (1, 2, 255), attributes=fields), Category("man", keypoints=("a", "b")))
    assert not cvat.write([AnnotatedImage("a.jpg", width=4, height=4)], tmp_path / "a.xml", categories=categories)
    assert cvat.read(tmp_path / "a.xml").categories == categories
    grouped = [Category("car", id=3, group="vehicle")]
    lost = cvat.write([AnnotatedImage("a.jpg", width=4, height=4)], tmp_path / "a.xml", categories=grouped)
    assert lost.count("dropped", "the group of a class") == lost.count("dropped", "the id of a class") == 1
