"""LAS keeps what it is given: scales by the extent, places by their range, dimensions bit by bit; the rest is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud, read_cloud, write_labels
from intarsia.media.clouds.las import codes_of
from intarsia.media.clouds.laswriting import decimals, grid, sixteen_bits

laspy = pytest.importorskip("laspy")
SPACE = LabelSpace(("ground", "building", "lamp"))
LABELS = np.array([2, 0, 1, 0], np.uint8)
XYZ = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9], [10, 11, 12.0]])


def put(path: Path, kind: int = 1, extra: Sequence[Any] = (), **values: Any) -> Path:
    """A LAS file of four points."""
    header = laspy.LasHeader(point_format=kind, version="1.2" if kind < 6 else "1.4")
    header.scales, header.offsets = np.full(3, 0.01), np.zeros(3)
    header.add_extra_dims(list(extra))
    las = laspy.LasData(header)
    las.xyz = XYZ
    for name, given in values.items():
        las[name] = given
    las.write(path)
    return path


def written(source: Any, path: Path, **options: Any) -> tuple[Any, tuple[str, ...]]:
    reader = open_cloud(source)
    confidence = np.full(reader.count, 0.5, np.float16)
    notes = write_labels(reader, path, np.resize(LABELS, reader.count), SPACE, confidence, **options)
    return laspy.read(path), notes


@pytest.mark.parametrize(
    ("low", "high", "places"),
    [
        ((11.5, 48.1, 200), (11.5 + 3e-4, 48.1 + 3e-4, 210), 9),  # degrees of a crossroads
        ((-10.0, 35, 0), (30.0, 70, 5000), 6),  # degrees of a continent
        ((0, 0, 0), (0.08, 0.08, 0.05), 9),  # metres of a small object
        ((770_000, 6_270_000, 0), (771_000, 6_271_000, 50), 5),  # metres of a tile
        ((0, 0, 0), (0, 0, 0), 3),  # one place
    ],
)
def test_scale_follows_the_extent(low: tuple[float, ...], high: tuple[float, ...], places: int) -> None:
    xyz = np.random.default_rng(0).uniform(low, high, (500, 3))
    scales, offsets = grid(xyz)
    assert scales[0] == pytest.approx(10.0**-places, rel=100)
    assert scales.max() <= 1e-3
    back = np.round((xyz - offsets) / scales).astype(np.int64)
    assert np.abs(back).max() < 2**31
    width = np.maximum(np.ptp(xyz, axis=0), 1e-9)
    assert (np.abs(back * scales + offsets - xyz).max(axis=0) <= 1e-6 * width + 1e-9).all()


def test_decimals_that_a_table_has_are_enough() -> None:
    values = np.random.default_rng(0).uniform(0, 1e-4, 100).round(9) + 11.5
    assert decimals(values, 1e-4) == 9
    assert decimals(np.array([0.0, 1000.125]), 1000.125) == 3
    assert decimals(np.array([5.0]), 0.0) == 3
    scales, _ = grid(np.array([[0.0, 0, 0], [2e7, 1, 1]]))
    assert scales.tolist() == [0.01, 0.001, 0.001]


@pytest.mark.parametrize("suffix", [".las", ".laz", ".csv", ".txt", ".ply", ".npz"])
def test_degrees_stay_where_they_are(tmp_path: Path, suffix: str) -> None:
    xyz = np.column_stack([11.5 + np.arange(4) * 1.3e-8, 48.1 + np.arange(4) * 2.7e-8, np.arange(4)])
    write_labels(open_cloud(PointCloud(xyz)), tmp_path / f"a{suffix}", LABELS, SPACE)
    back = read_cloud(tmp_path / f"a{suffix}").xyz
    assert np.abs(back - xyz).max() < 1e-10
    assert len(np.unique(back, axis=0)) == 4


def test_fields_go_where_las_has_a_place_or_become_dimensions(tmp_path: Path) -> None:
    fields = {
        "red": np.array([0, 1, 2, 255], np.uint8), "green": np.zeros(4, np.uint8), "blue": np.zeros(4, np.uint8),
        "infrared": np.array([0, 0, 0, 51], np.uint8), "intensity": np.array([-302, 0, 445, 2047]),
        "return_number": np.array([1, 2, 3, 15]), "number_of_returns": np.array([1, 2, 3, 16]),
        "gps_time": np.array([0.1, 0.2, 0.3, 1e9 + 0.25]), "point_id": np.array([0, 1, 2, 2**60 + 1]),
        "scan_angle": np.array([0, 1, 2, 3], np.float32), "größe": np.array([1, 2, 3, 4], np.float16),
    }  # fmt: skip
    las, notes = written(PointCloud(XYZ, fields), tmp_path / "a.las")
    assert np.asarray(las.red).tolist() == [0, 257, 514, 65535] and np.asarray(las.nir).tolist() == [0, 0, 0, 13107]
    assert np.asarray(las.intensity).tolist() == [1746, 2048, 2493, 4095]
    assert np.asarray(las.return_number).tolist() == [1, 2, 3, 15]
    assert las["number_of_returns_2"].tolist() == [1, 2, 3, 16]
    assert np.asarray(las.gps_time).tolist() == fields["gps_time"].tolist()
    assert las["point_id"].tolist() == fields["point_id"].tolist()
    assert las["scan_angle_2"].tolist() == [0, 1, 2, 3]
    assert las["gr__e"].tolist() == [1, 2, 3, 4]
    assert np.asarray(las.classification).tolist() == [64, 2, 6, 2]
    said = " ".join(notes)
    assert "number_of_returns is no whole number from 0 to 15: it becomes a dimension of its own" in said
    assert "intensity is written 2048 higher" in said


@pytest.mark.parametrize(
    ("values", "stored", "said"),
    [
        ([0, 7, 65535], [0, 7, 65535], ""),
        ([0.0, 0.5, 1.0], [0, 32768, 65535], "times 65535"),
        ([0.0, 130.4, 255.0], [0, 130, 255], ""),
        ([0, 131070], [0, 65535], "times 0.5"),
        ([-100.0, 3000], [0, 3100], "100 higher"),
        ([np.nan, np.inf, 2], [0, 0, 2], ""),
        ([0.0, 0.0], [0, 0], ""),
    ],
)
def test_intensities_are_never_cut_off(values: list[float], stored: list[int], said: str) -> None:
    found, note = sixteen_bits(np.array(values))
    assert found.tolist() == stored
    assert said in note and bool(said) == bool(note)


def test_points_without_coordinates_are_withheld(tmp_path: Path) -> None:
    xyz = XYZ.copy()
    xyz[1, 2] = np.nan
    las, notes = written(PointCloud(xyz), tmp_path / "a.las")
    assert np.asarray(las.withheld).tolist() == [0, 1, 0, 0]
    assert notes == (
        "1 point without coordinates: LAS has no such thing, they lie at the offset and are withheld",
    )  # fmt: skip


def test_arrays_and_undocumented_bytes_are_read_kept_and_written(tmp_path: Path) -> None:
    normals = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, -1]], np.float32)
    pair = np.arange(8, dtype=np.int16).reshape(4, 2)
    extra = [laspy.ExtraBytesParams("normal", "3f4"), laspy.ExtraBytesParams("pair", "2i2")]
    path = put(tmp_path / "a.las", 6, extra, normal=normals, pair=pair)
    found = read_cloud(path)
    assert found.fields["nz"].tolist() == [1, 0, 0, -1]
    assert found.fields["pair_1"].tolist() == [1, 3, 5, 7]
    for suffix in (".las", ".laz"):
        las, notes = written(path, tmp_path / f"b{suffix}")
        assert (las["normal"] == normals).all() and (las["pair"] == pair).all()
        assert las["confidence"].tolist() == [0.5] * 4
        assert notes == ()
    write_labels(open_cloud(path), tmp_path / "b.ply", LABELS, SPACE)
    assert read_cloud(tmp_path / "b.ply").fields["nx"].tolist() == [0, 0, 1, 0]
    # Records that are three bytes longer than their format, of which nothing in the file tells.
    content = bytearray(put(tmp_path / "plain.las", 6).read_bytes())
    start, length = int.from_bytes(content[96:100], "little"), int.from_bytes(content[105:107], "little")
    records = [bytes(content[start + length * i : start + length * (i + 1)]) + bytes([i, 9, 7]) for i in range(4)]
    content[105:107] = (length + 3).to_bytes(2, "little")
    (tmp_path / "c.las").write_bytes(bytes(content[:start]) + b"".join(records))
    assert read_cloud(tmp_path / "c.las").fields["extrabytes_0"].tolist() == [0, 1, 2, 3]
    las, _ = written(tmp_path / "c.las", tmp_path / "d.laz")
    assert las["ExtraBytes"].tolist() == [[i, 9, 7] for i in range(4)]
    assert np.asarray(las.classification).tolist() == [64, 2, 6, 2]


def test_names_that_are_taken_are_kept(tmp_path: Path) -> None:
    path = put(tmp_path / "a.las", 6, [laspy.ExtraBytesParams("confidence", np.uint8)], confidence=[7, 8, 9, 10])
    las, notes = written(path, tmp_path / "b.las")
    assert las["confidence"].tolist() == [7, 8, 9, 10] and las["confidence_2"].tolist() == [0.5] * 4
    assert notes == ("the file has a dimension confidence of its own: what is new is called confidence_2",)
    again, notes = written(tmp_path / "b.las", tmp_path / "c.las")
    assert again["confidence_3"].tolist() == [0.5] * 4
    las, notes = written(put(tmp_path / "plain.las", 6), tmp_path / "d.las")
    again, notes = written(tmp_path / "d.las", tmp_path / "e.las")
    assert list(again.point_format.extra_dimension_names) == ["confidence"] and notes == ()
    mine = PointCloud(XYZ, {"label": np.array([5, 6, 7, 8]), "confidence": np.ones(4, np.uint8)})
    notes = write_labels(open_cloud(mine), tmp_path / "f.npz", LABELS, SPACE, np.zeros(4, np.float16))
    kept = np.load(tmp_path / "f.npz")
    assert kept["label"].tolist() == LABELS.tolist() and kept["label_before"].tolist() == [5, 6, 7, 8]
    assert kept["confidence_before"].tolist() == [1] * 4
    assert notes[0] == "the cloud has a field label of its own: it is called label_before"


def test_intensity_is_not_replaced_by_what_means_the_same(tmp_path: Path) -> None:
    extra = [laspy.ExtraBytesParams("Reflectance", np.float32), laspy.ExtraBytesParams("sort", np.uint8)]
    path = put(tmp_path / "a.las", 6, extra, intensity=[1, 2, 3, 4], Reflectance=[-9, -8, -7, -6.5], sort=[3, 3, 4, 4])
    found = read_cloud(path)
    assert found.fields["intensity"].tolist() == [1, 2, 3, 4]
    assert found.fields["reflectance"].tolist() == [-9, -8, -7, -6.5]
    named = read_cloud(path, label="sort")
    assert named.label is not None and named.label.tolist() == [3, 3, 4, 4]
    with pytest.raises(DataError, match=r"no dimension 'sirt' for the labels; it has: .*Reflectance, sort"):
        open_cloud(path, label="sirt")


@pytest.mark.parametrize(("kind", "new"), [(0, 6), (1, 6), (2, 7), (3, 7)])
def test_high_codes_make_a_newer_file(tmp_path: Path, kind: int, new: int) -> None:
    values: dict[str, Any] = {
        "scan_angle_rank": [-15, 0, 3, 20], "return_number": [1, 2, 3, 5], "number_of_returns": [5] * 4,
        "intensity": [9, 8, 7, 6], "user_data": [1, 2, 3, 4], "synthetic": [0, 1, 0, 1], "withheld": [1, 0, 0, 0],
        "edge_of_flight_line": [0, 0, 1, 0], "mark": [0.5, 1, 2, 3],
    }  # fmt: skip
    values |= {"gps_time": [1.5, 2, 3, 4]} if kind in (1, 3) else {}
    values |= {"red": [0, 300, 5, 65535]} if kind in (2, 3) else {}
    path = put(tmp_path / "a.las", kind, [laspy.ExtraBytesParams("mark", np.float64)], **values)
    las, notes = written(path, tmp_path / "b.las")
    assert (str(las.header.version), las.point_format.id) == ("1.4", new)
    assert np.asarray(las.classification).tolist() == [64, 2, 6, 2]
    assert np.array_equal(las.xyz, XYZ) and (las.header.scales == 0.01).all()
    assert np.round(np.asarray(las.scan_angle) * 0.006).tolist() == values.pop("scan_angle_rank")
    for name, given in values.items():
        assert np.asarray(las[name]).tolist() == given, name
    assert f"written as LAS 1.4, point format {new}, because format {kind} holds class codes up to 31" in notes[0]
    old, notes = written(path, tmp_path / "c.las", codes={"lamp": 15})
    assert (str(old.header.version), old.point_format.id, notes) == ("1.2", kind, ())
    assert np.asarray(old.classification).tolist() == [15, 2, 6, 2]


def test_codes_can_be_chosen() -> None:
    assert codes_of(["ground", "rest", "lamp"], {"rest": 1}) == [2, 1, 64]
    assert codes_of(["lamp", "rest"], {"rest": 64}) == [65, 64]
    assert codes_of(["ground", "road"], {"ground": 2, "road": 2}) == [2, 2]
    with pytest.raises(UsageError, match=r"rest=2 is the code of ground; choose another"):
        codes_of(["ground", "rest"], {"rest": 2})
    with pytest.raises(UsageError, match=r"no class is named 'rast'. Did you mean 'rest'"):
        codes_of(["rest"], {"rast": 2})
    with pytest.raises(UsageError, match="class codes of LAS are 0 to 255"):
        codes_of(["rest"], {"rest": 256})
    with pytest.raises(DataError, match="too few codes for 200 classes"):
        codes_of([f"class_{number}" for number in range(200)])


def test_codes_are_those_of_las(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"codes are those of LAS and LAZ"):
        write_labels(open_cloud(PointCloud(XYZ)), tmp_path / "a.ply", LABELS, SPACE, codes={"lamp": 1})


def test_what_other_formats_do_not_hold_is_said(tmp_path: Path) -> None:
    wide = {"id": np.array([0, 1, 2, 2**60 + 1]), "flag": np.array([True, False, True, True]), "a b": np.zeros(4)}
    wide |= {name: np.array([0, 257, 514, 65535], np.uint16) for name in ("red", "green", "blue")}
    reader = open_cloud(PointCloud(XYZ, wide, color_max=65535.0))
    notes = write_labels(reader, tmp_path / "a.ply", LABELS, SPACE)
    assert notes[0].startswith("id holds whole numbers above 2^53, which PLY rounds")
    assert notes[1].startswith("colours of 16 bits become 8")
    back = read_cloud(tmp_path / "a.ply")
    assert back.fields["red"].tolist() == [0, 1, 2, 255] and back.fields["flag"].tolist() == [1, 0, 1, 1]
    assert write_labels(reader, tmp_path / "a.csv", LABELS, SPACE) == ()
    table = (tmp_path / "a.csv").read_text().splitlines()
    assert table[0] == "x,y,z,id,flag,a_b,red,green,blue,label"
    assert table[4] == "10.000000,11.000000,12.000000,1152921504606846977,1,0,65535,65535,65535,0"


def test_coordinate_reference_systems_stay_with_las(tmp_path: Path) -> None:
    path = put(tmp_path / "a.las", 6)
    las = laspy.read(path)
    las.vlrs.append(laspy.vlrs.known.WktCoordinateSystemVlr("PROJCS[...]"))
    las.write(path)
    assert written(path, tmp_path / "b.laz")[1] == ()
    notes = write_labels(open_cloud(path), tmp_path / "b.ply", LABELS, SPACE)
    assert notes == ("the coordinate reference system stays behind: .ply has no place for it",)
