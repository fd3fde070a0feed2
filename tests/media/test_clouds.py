"""Point cloud files: what goes in comes out, at full precision, and broken files say what is wrong."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, is_cloud, open_cloud, read_cloud, read_room, write_labels
from intarsia.media.clouds.cloud import color_range
from intarsia.media.clouds.las import codes_of
from intarsia.media.clouds.pcd import _unpack_lzf

laspy = pytest.importorskip("laspy")
IGN = "ign_lidarhd/test_data_77050_627755_LA93_IGN69.laz"
KITTI = "mmdet3d_fixtures/semantickitti/sequences/00/velodyne/000000.bin"
SPACE = LabelSpace(("ground", "building", "lamp"))
# Lambert-93: in float32 these coordinates are half a metre off.
FAR = np.array([[770550.12, 6277600.34, 12.5], [770551.98, 6277601.01, 13.25], [770553.07, 6277602.99, 14.0]])


def cloud(count: int = 3) -> PointCloud:
    fields = {name: np.arange(count, dtype=np.uint16) * 1000 for name in ("red", "green", "blue")}
    fields["intensity"] = np.arange(count, dtype=np.uint16) * 7
    return PointCloud(np.resize(FAR, (count, 3)), fields, np.arange(count) % 3, 65535.0, "made")


@pytest.mark.parametrize("suffix", [".las", ".laz", ".ply", ".npz", ".csv", ".txt"])
def test_labels_come_back_in_order_and_at_full_precision(tmp_path: Path, suffix: str) -> None:
    labels = np.array([2, 0, 1], dtype=np.uint8)
    target = tmp_path / f"out{suffix}"
    write_labels(open_cloud(cloud()), target, labels, SPACE, np.array([0.5, 0.25, 1.0], np.float16))
    back = read_cloud(target)
    assert np.abs(back.xyz - FAR).max() < 1e-3
    expected = [64, 2, 6] if suffix in (".las", ".laz") else [2, 0, 1]
    assert back.label is not None
    assert back.label.tolist() == expected
    assert back.fields["confidence"].astype(float).tolist() == [0.5, 0.25, 1.0]


def test_standard_names_have_their_codes_and_others_start_at_64() -> None:
    assert codes_of(["building", "lamp", "ground", "bench"]) == [6, 64, 2, 65]


def test_las_copy_keeps_everything_else(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "clouds/ign_lidarhd/test_data_77055_627755_LA93_IGN69_extra_dims.laz"
    reader = open_cloud(source)
    labels = (np.arange(reader.count) % 3).astype(np.uint8)
    target = tmp_path / "out.laz"
    write_labels(reader, target, labels, SPACE, np.full(reader.count, 0.5, np.float16))
    before, after = laspy.read(source), laspy.read(target)
    assert [name for name in before.point_format.dimension_names if not np.array_equal(before[name], after[name])] == [
        "classification"
    ]
    assert np.array_equal(after.classification, np.array([2, 6, 64])[labels])
    assert (after.header.scales == before.header.scales).all()
    assert (after.header.offsets == before.header.offsets).all()
    crs = [vlr.record_data_bytes() for vlr in before.vlrs if vlr.user_id == "LASF_Projection"]
    assert crs
    assert [vlr.record_data_bytes() for vlr in after.vlrs if vlr.user_id == "LASF_Projection"] == crs
    assert set(after.point_format.extra_dimension_names) == {"dtm_marker", "dsm_marker", "confidence"}
    # a second labelling replaces the first one's confidence instead of adding another
    write_labels(open_cloud(target), tmp_path / "again.laz", labels, SPACE, np.ones(reader.count, np.float16))
    assert (laspy.read(tmp_path / "again.laz")["confidence"] == 1).all()


@pytest.mark.parametrize(
    ("name", "count", "labels"),
    [
        (IGN, 73355, {1: 1344, 2: 13881, 3: 187, 4: 1190, 5: 29514, 6: 27239}),
        ("laspy_tests/simple.copc.laz", 1065, {1: 789, 2: 276}),
        ("laspy_tests/vegetation_1_3.las", 10683, {11: 10683}),
        (KITTI, 50, {0: 2, 50: 25, 52: 1, 70: 17, 71: 3, 80: 2}),
        ("s3dis_demo_nag/s3dis_crop.npz", 41568, {1: 23139, 2: 911, 7: 8092, 8: 8700, 12: 726}),
    ],
)  # fmt: skip
def test_real_files(real_data: Path, name: str, count: int, labels: dict[int, int]) -> None:
    found = read_cloud(real_data / "clouds" / name)
    assert len(found) == count
    assert found.label is not None
    assert dict(zip(*(part.tolist() for part in np.unique(found.label, return_counts=True)), strict=True)) == labels


def test_copc_is_written_as_plain_laz(real_data: Path, tmp_path: Path) -> None:
    reader = open_cloud(real_data / "clouds/laspy_tests/simple.copc.laz")
    write_labels(reader, tmp_path / "out.laz", np.zeros(reader.count, np.uint8), SPACE)
    after = laspy.read(tmp_path / "out.laz")
    assert "copc" not in {vlr.user_id for vlr in after.vlrs}
    assert (after.classification == 2).all()


def test_chunks_are_the_whole(real_data: Path) -> None:
    reader = open_cloud(real_data / "clouds/laspy_tests/simple.laz")
    parts = list(reader.chunks(400))
    assert [len(part) for part in parts] == [400, 400, 265]
    assert np.array_equal(np.concatenate([part.xyz for part in parts]), reader.read().xyz)


def test_truncated_laz(real_data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"corrupt_truncated\.laz.*truncated or damaged"):
        read_cloud(real_data / "clouds/ign_lidarhd/corrupt_truncated.laz")
    content = (real_data / "clouds/laspy_tests/simple.laz").read_bytes()
    for length in (0, 3, 100, 300, 5000, len(content) - 2000):
        (tmp_path / "cut.laz").write_bytes(content[:length])
        with pytest.raises(DataError, match=r"cut\.laz"):
            read_cloud(tmp_path / "cut.laz")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_damaged_bytes_never_end_in_anything_but_a_data_error(data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made.laz"
        write_labels(open_cloud(cloud(200)), path, np.zeros(200, np.uint8), SPACE)
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content)
        try:
            read_cloud(path)
        except DataError as error:
            assert "made.laz" in str(error)


@pytest.mark.parametrize("suffix", [".las", ".laz"])
def test_header_that_claims_four_billion_points(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"big{suffix}"
    write_labels(open_cloud(cloud()), path, np.zeros(3, np.uint8), SPACE)
    content = bytearray(path.read_bytes())
    struct.pack_into("<Q", content, 247, 4_000_000_000)  # LAS 1.4: number of point records
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"claims 4,000,000,000 points"):
        open_cloud(path)


@pytest.mark.parametrize(
    ("place", "form", "value", "said"),
    [
        (100, "<I", 3_000_000_000, "3,000,000,000 variable length records"),
        (243, "<I", 4_000_000_000, "4,000,000,000 extended records"),
        (96, "<I", 4_000_000_000, "points from byte 4,000,000,000 on"),
        (105, "<H", 3, "records of 3 bytes"),
        (375 + 54 + 12, "<I", 2_000_000_000, "chunks of 2,000,000,000 points"),
        (375 + 54 + 12, "<I", 0, "chunks of 0 points"),
    ],
)
def test_numbers_that_would_exhaust_time_or_memory(
    tmp_path: Path, place: int, form: str, value: int, said: str
) -> None:
    path = tmp_path / "x.laz"
    point = PointCloud(FAR)  # no extra dimension, so that the compressor's record is the first
    write_labels(open_cloud(point), path, np.zeros(3, np.uint8), SPACE)
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, place, value)
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"x.laz.*claims.*{said}"):
        open_cloud(path)


def test_table_of_chunks_that_would_exhaust_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.laz"
    write_labels(open_cloud(cloud()), path, np.zeros(3, np.uint8), SPACE)
    content = bytearray(path.read_bytes())
    points = struct.unpack_from("<I", content, 96)[0]
    table = struct.unpack_from("<q", content, points)[0]
    struct.pack_into("<I", content, table + 4, 4_000_000_000)
    path.write_bytes(content)
    with pytest.raises(DataError, match="4,000,000,000 chunks where 1 hold all points"):
        open_cloud(path)


def test_missing_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    path = tmp_path / "x.laz"
    write_labels(open_cloud(cloud()), path, np.zeros(3, np.uint8), SPACE)
    monkeypatch.setitem(sys.modules, "lazrs", None)
    with pytest.raises(UsageError, match=r"lazrs is not installed.*intarsia\[clouds\]"):
        open_cloud(path)


@pytest.mark.parametrize(
    ("values", "top"),
    [([0, 255], 255), ([0, 256], 65535), ([0.0, 1.0], 1), ([0.0, 200.0], 255), ([], 255)],
)
def test_eight_or_sixteen_bit_colour(values: list[float], top: float) -> None:
    kind = np.float32 if any(isinstance(value, float) for value in values) else np.uint16
    assert color_range(np.array(values, dtype=kind)) == top


@pytest.mark.parametrize("text", [True, False])
def test_ply_label_field_by_name(tmp_path: Path, text: bool) -> None:
    plyfile = pytest.importorskip("plyfile")
    vertex = np.zeros(2, dtype=[("x", "f8"), ("y", "f8"), ("z", "f4"), ("scalar_Label", "f4"), ("kind", "u1")])
    vertex["scalar_Label"], vertex["kind"] = [3, 4], [8, 9]
    path = tmp_path / "a.ply"
    plyfile.PlyData([plyfile.PlyElement.describe(vertex, "vertex")], text=text).write(str(path))
    found, named = read_cloud(path).label, read_cloud(path, label="kind").label
    assert found is not None and found.tolist() == [3, 4]
    assert named is not None and named.tolist() == [8, 9]
    with pytest.raises(DataError, match=r"no field 'sort'.*scalar_Label, kind"):
        read_cloud(path, label="sort")


def test_ply_that_claims_too_much(tmp_path: Path) -> None:
    head = b"ply\nformat binary_little_endian 1.0\nelement vertex 4000000000\nproperty float x\nend_header\n"
    (tmp_path / "a.ply").write_bytes(head)
    with pytest.raises(DataError, match="claims 4,000,000,000"):
        read_cloud(tmp_path / "a.ply")
    (tmp_path / "b.ply").write_bytes(b"no ply at all")
    with pytest.raises(DataError, match=r"b\.ply: not a readable PLY"):
        read_cloud(tmp_path / "b.ply")


PCD = b"""# .PCD v0.7
VERSION 0.7
FIELDS x y z rgb label
SIZE 4 4 4 4 4
TYPE F F F F U
COUNT 1 1 1 1 1
WIDTH 2
HEIGHT 1
VIEWPOINT 0 0 0 1 0 0 0
POINTS 2
DATA """


def _pcd_records() -> np.ndarray:
    records = np.zeros(2, dtype=[("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4"), ("label", "<u4")])
    records["x"], records["z"], records["label"] = [1, 2], [5, 6], [7, 9]
    records["rgb"] = [0x0A141E, 0xFF0080]
    return records


def _lzf(plain: bytes) -> bytes:
    """LZF without copies: runs of up to 32 literal bytes."""
    runs = [plain[start : start + 32] for start in range(0, len(plain), 32)]
    return b"".join(bytes([len(run) - 1]) + run for run in runs)


@pytest.mark.parametrize("kind", ["ascii", "binary", "binary_compressed"])
def test_pcd(tmp_path: Path, kind: str) -> None:
    records = _pcd_records()
    if kind == "ascii":
        rgb = records["rgb"].view(np.float32)
        body = "".join(
            f"{row['x']} {row['y']} {row['z']} {value:.9g} {row['label']}\n"
            for row, value in zip(records, rgb, strict=True)
        ).encode()
    elif kind == "binary":
        body = records.tobytes()
    else:
        plain = b"".join(np.ascontiguousarray(records[name]).tobytes() for name in records.dtype.names)
        packed = _lzf(plain)
        body = struct.pack("<II", len(packed), len(plain)) + packed
    head = PCD.replace(b"TYPE F F F F U", b"TYPE F F F F U" if kind == "ascii" else b"TYPE F F F U U")
    path = tmp_path / "a.pcd"
    path.write_bytes(head + kind.encode() + b"\n" + body)
    found = read_cloud(path)
    assert found.xyz.tolist() == [[1, 0, 5], [2, 0, 6]]
    assert [found.fields[name].tolist() for name in ("red", "green", "blue")] == [[10, 255], [20, 0], [30, 128]]
    assert found.label is not None and found.label.tolist() == [7, 9]
    path.write_bytes((head + kind.encode() + b"\n" + body)[:-9])
    with pytest.raises(DataError, match=r"a\.pcd: not a readable PCD"):
        read_cloud(path)


def test_lzf_copies_may_overlap_their_own_output() -> None:
    assert _unpack_lzf(b"\x00a\x20\x00", 4) == b"aaaa"  # one letter, then three bytes from one back
    assert _unpack_lzf(b"\x01ab\xe0\x00\x01", 2 + 9) == b"ab" + b"ababababa"
    with pytest.raises(ValueError, match="before its start"):
        _unpack_lzf(b"\x20\x05", 3)


def test_tables_and_their_columns(tmp_path: Path) -> None:
    rows = np.column_stack([FAR, [9, 8, 7], [0, 1, 2]])
    np.save(tmp_path / "a.npy", rows)
    with pytest.raises(DataError, match=r"5 columns without names.*--columns 'x y z _ label'"):
        read_cloud(tmp_path / "a.npy")
    found = read_cloud(tmp_path / "a.npy", columns="x y z _ label")
    assert np.array_equal(found.xyz, FAR)
    assert found.fields == {}
    assert found.label is not None and found.label.tolist() == [0, 1, 2]
    np.savetxt(tmp_path / "a.csv", rows, delimiter=",", header="x,y,z,intensity,class", comments="", fmt="%.3f")
    table = read_cloud(tmp_path / "a.csv")
    assert table.fields["intensity"].tolist() == [9, 8, 7]
    assert table.label is not None and table.label.tolist() == [0, 1, 2]
    (tmp_path / "a.txt").write_text("1 2 3\n4 five 6\n")
    with pytest.raises(DataError, match=r"a\.txt: not a table of numbers.*line 2|row 1"):
        read_cloud(tmp_path / "a.txt")
    np.savez(tmp_path / "a.npz", val_xyz=FAR, val_label=np.array([1, 0, 1]))
    with pytest.raises(DataError, match="no coordinate x"):
        read_cloud(tmp_path / "a.npz")
    named = read_cloud(tmp_path / "a.npz", columns="xyz=val_xyz label=val_label")
    assert named.label is not None and named.label.tolist() == [1, 0, 1]
    with pytest.raises(DataError, match="no array 'nope'"):
        read_cloud(tmp_path / "a.npz", columns="xyz=nope")


def test_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["xyz"], file["rgb"], file["label"] = FAR, np.full((3, 3), 9, np.uint8), np.array([[0], [1], [2]])
    found = read_cloud(tmp_path / "a.h5")
    assert np.array_equal(found.xyz, FAR)
    assert found.fields["green"].tolist() == [9, 9, 9]
    assert found.label is not None and found.label.tolist() == [0, 1, 2]


def test_archives_that_claim_more_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from intarsia.media.clouds import tables

    np.savez_compressed(tmp_path / "a.npz", xyz=np.zeros((10_000, 3)))
    monkeypatch.setattr(tables, "available_memory", lambda: 1e5)
    with pytest.raises(DataError, match=r"a\.npz: it unpacks to 0\.0 GB, more than there is memory"):
        read_cloud(tmp_path / "a.npz")


def test_hdf5_reads_no_other_files(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["label"] = np.arange(3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["xyz"] = FAR
        layout = h5py.VirtualLayout((3,), np.int64)
        layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "label", (3,))
        file.create_virtual_dataset("label", layout)
        file["kind"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "label")
    found = read_cloud(tmp_path / "a.h5")
    assert found.label is None
    assert found.fields == {}


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="not a readable NPY"):
        read_cloud(tmp_path / "a.npy")


def test_nuscenes_and_wrong_sizes(tmp_path: Path) -> None:
    np.arange(10, dtype=np.float32).tofile(tmp_path / "s.pcd.bin")
    np.array([3, 4], dtype=np.uint8).tofile(tmp_path / "s_lidarseg.bin")
    found = read_cloud(tmp_path / "s.pcd.bin")
    assert found.xyz.tolist() == [[0, 1, 2], [5, 6, 7]]
    assert found.fields["ring"].tolist() == [4, 9]
    assert found.label is not None and found.label.tolist() == [3, 4]
    np.arange(9, dtype=np.float32).tofile(tmp_path / "s.pcd.bin")
    with pytest.raises(DataError, match="9 numbers are no points of 5"):
        read_cloud(tmp_path / "s.pcd.bin")


def test_s3dis_room_with_its_corrupt_lines(tmp_path: Path) -> None:
    folder = tmp_path / "Area_5" / "hallway_6"
    (folder / "Annotations").mkdir(parents=True)
    (folder / "Annotations" / "ceiling_1.txt").write_bytes(
        b"1.0 2.0 3.0 10 20 30\n4.0 5.0 6.0 40 185\x00187\n7.0 8.0 -9.1\x160 103.000000 5 6\n1 2 three 4 5 6\n"
    )
    (folder / "Annotations" / "stairs_1.txt").write_text("0 0 0 1 2 3\n")
    found, notes = read_room(folder)
    assert found.xyz.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, -9.10], [0, 0, 0]]
    assert found.fields["blue"].tolist() == [30, 187, 6, 3]
    assert found.label is not None and found.label.tolist() == [0, 0, 0, 12]
    assert [("line 2" in notes[0], "repaired" in notes[0]), ("line 3" in notes[1], "repaired" in notes[1])] == [
        (True, True), (True, True),
    ]  # fmt: skip
    assert "ceiling_1.txt, line 4: corrupt, left out" in notes[2]
    assert is_cloud(folder)


def test_names_of_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no cloud format.*'.laz'"):
        (tmp_path / "a.lazz").write_text("")
        open_cloud(tmp_path / "a.lazz")
    (tmp_path / "scan.laz").write_bytes(b"")
    with pytest.raises(DataError, match=r"no such file. Did you mean 'scan.laz'"):
        open_cloud(tmp_path / "scam.laz")
    with pytest.raises(DataError, match=r"coordinates must be \(N, 3\)"):
        PointCloud(np.zeros((3, 2)))


def test_binary_scans_are_clouds_and_their_labels_are_not() -> None:
    assert is_cloud("velodyne/000000.bin")
    assert is_cloud("LIDAR_TOP.pcd.bin")
    assert not is_cloud("0a1b_lidarseg.bin")
    assert not is_cloud("points.npy"), "an array may hold anything"


def test_colours_to_show() -> None:
    """Many files have fields for colours and nothing in them; their height is shown."""
    xyz = np.array([[0.0, 0, 0], [0, 0, 5], [0, 0, 10], [0, 0, np.nan]])
    fields = {name: np.array([0, 65535, 0, 0], np.uint16) for name in ("red", "green", "blue")}
    fields["red"][2] = 32768
    given = PointCloud(xyz, fields, color_max=65535.0)
    assert given.colored
    assert given.colors().tolist() == [[0] * 3, [255] * 3, [127, 0, 0], [0] * 3]
    for lacking in ({}, {name: np.zeros(4, np.uint16) for name in fields}, {"red": fields["red"]}):
        blank = PointCloud(xyz, lacking)
        assert not blank.colored
        assert blank.colors()[:, 0].tolist() == [20, 129, 235, 20]  # up to 9.85, the 99 % quantile
    assert PointCloud(np.empty((0, 3))).colors().shape == (0, 3)


def test_a_line_without_end_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1 " * 40_000, encoding="ascii")
    with pytest.raises(DataError, match="a line of it has more than 65,536 characters"):
        open_cloud(path).read()
