"""Tables without names: what they hold decides and is said, or the user is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from intarsia.errors import DataError, UsageError
from intarsia.media.clouds import PointCloud, open_cloud, read_cloud
from intarsia.media.clouds.cloud import from_columns
from intarsia.media.clouds.columns import guess_columns
from intarsia.media.clouds.names import name_fields, split_columns

N = 400
RANDOM = np.random.default_rng(0)
XYZ = RANDOM.uniform(0, 10, (N, 3)).round(3)
RGB = RANDOM.integers(0, 256, (N, 3)).astype(float)
NORMAL = RANDOM.normal(size=(N, 3))
NORMAL /= np.linalg.norm(NORMAL, axis=1, keepdims=True)
LABEL = RANDOM.integers(0, 9, (N, 1)).astype(float)
LEICA = RANDOM.integers(-2048, 2048, (N, 1)).astype(float)
BYTE = RANDOM.integers(0, 256, (N, 1)).astype(float)
SHARE = RANDOM.uniform(0, 1, (N, 1))
COLOR, NORMALS = "red green blue", "nx ny nz"


@pytest.mark.parametrize(
    ("parts", "suffix", "names"),
    [
        ([], ".txt", ""),
        ([LEICA], ".txt", "intensity"),
        ([SHARE], ".npy", "intensity"),
        ([LABEL], ".txt", "label"),
        ([LABEL], ".pts", "intensity"),
        ([RGB], ".xyz", COLOR),
        ([RGB * 257], ".txt", COLOR),
        ([RGB / 255], ".npy", COLOR),
        ([NORMAL], ".txt", NORMALS),
        ([NORMAL], ".pts", NORMALS),
        ([LEICA, RGB], ".pts", f"intensity {COLOR}"),
        ([LEICA, RGB], ".txt", f"intensity {COLOR}"),
        ([LEICA + 2048, RGB], ".txt", f"intensity {COLOR}"),
        ([BYTE, RGB], ".pts", f"intensity {COLOR}"),
        ([np.zeros((N, 1)), RGB], ".pts", f"intensity {COLOR}"),
        ([SHARE, RGB], ".txt", f"intensity {COLOR}"),
        ([RGB, LABEL], ".txt", f"{COLOR} label"),
        ([RGB, LEICA], ".txt", f"{COLOR} intensity"),
        ([LABEL, RGB], ".txt", f"label {COLOR}"),
        ([NORMAL, LABEL], ".txt", f"{NORMALS} label"),
        ([LEICA, RGB, LABEL], ".txt", f"intensity {COLOR} label"),
        ([RGB, NORMAL], ".xyz", f"{COLOR} {NORMALS}"),
        ([NORMAL, RGB], ".xyz", f"{NORMALS} {COLOR}"),
        ([NORMAL, RGB, LABEL], ".txt", f"{NORMALS} {COLOR} label"),
    ],
)
def test_values_decide(parts: list[np.ndarray], suffix: str, names: str) -> None:
    found, said = guess_columns(np.hstack([XYZ, *parts]), Path(f"a{suffix}"))
    assert " ".join(found) == f"x y z {names}".strip()
    assert (f"'{' '.join(found)}'" in said and "--columns" in said) == bool(names)


@pytest.mark.parametrize(
    ("parts", "asked"),
    [
        ([BYTE, RGB], r"'x y z intensity red green blue' or 'x y z red green blue intensity'"),
        ([np.zeros((N, 1))], "'x y z intensity' or 'x y z label'"),
        ([XYZ * 100 - 300], r"6 columns without names; name them, for instance --columns 'x y z _ _ label'"),
        ([LEICA, LEICA], "5 columns without names"),
    ],
)
def test_what_may_be_several_things_is_asked(parts: list[np.ndarray], asked: str) -> None:
    with pytest.raises(DataError, match=asked):
        guess_columns(np.hstack([XYZ, *parts]), Path("a.txt"))


def test_few_points_tell_too_little() -> None:
    with pytest.raises(DataError, match="'x y z intensity' or 'x y z label'; say which"):
        guess_columns(np.hstack([XYZ, LABEL])[:9], Path("a.txt"))


def test_scans_of_leica(tmp_path: Path) -> None:
    """PTS: the number of points, then x y z intensity r g b; a second scan has its own number."""
    path = tmp_path / "a.pts"
    rows = [" ".join(f"{value:g}" for value in row) for row in np.hstack([XYZ, LEICA, RGB])]
    path.write_text("\n".join(["200", *rows[:200], "200", *rows[200:]]))
    found = read_cloud(path)
    assert np.array_equal(found.xyz, XYZ)
    assert np.array_equal(found.fields["intensity"], LEICA[:, 0])
    assert np.array_equal(found.fields["blue"], RGB[:, 2])
    assert found.notes == (
        "its columns have no names and are taken for 'x y z intensity red green blue', the order of .pts files "
        "(--columns says otherwise)",
    )
    assert open_cloud(path).notes == found.notes == found.take(slice(3)).notes
    assert read_cloud(path, columns="x y z _ _ _ label").notes == ()


ROWS = [(15.355, 3.2, 1.0), (16.0, -4.25, 2.5)]


@pytest.mark.parametrize(
    "text",
    [
        "15.355 3.2 1\n16 -4.25 2.5\n",
        "15.355,3.2,1\n16,-4.25,2.5\n",
        "15.355, 3.2, 1,\n16, -4.25, 2.5,\n",
        "15.355;3.2;1\r\n16;-4.25;2.5\r\n",
        "15,355;3,2;1\n16;-4,25;2,5\n",
        "15,355\t3,2\t1,0\n16,0\t-4,25\t2,5\n",
        "15,355 3,2 1,0\n16,0 -4,25 2,5\n",
        '"15,355","3,2","1,0"\n"16,0","-4,25","2,5"\n',
        "2\n15.355 3.2 1\n16 -4.25 2.5\n",
        "\ufeffX;Y;Z\n15,355;3,2;1,0\n16;-4,25;2,5\n",
        "//X,Y,Z\n15.355,3.2,1\n16,-4.25,2.5\n",
        "# made by a scanner\n# x y z\n15.355 3.2 1\n16 -4.25 2.5\n",
        '"Easting [m]","Northing [m]","Elevation [m]"\n15.355,3.2,1\n16,-4.25,2.5\n',
        "y,x,z\n3.2,15.355,1\n-4.25,16,2.5\n",
    ],
)
def test_ways_to_write_a_table(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    found = read_cloud(tmp_path / "a.csv")
    assert found.xyz.tolist() == [list(row) for row in ROWS]
    assert (found.notes == ("its numbers are read with a decimal comma",)) == ("15,355" in text)


def test_words_and_empty_cells(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('x,y,z,class,intensity\n1,2,3,"ground",7\n4,5,6,tree,\n')
    found = read_cloud(path)
    assert found.xyz.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found.label is None
    assert found.fields["intensity"][0] == 7 and np.isnan(found.fields["intensity"][1])
    assert found.notes == ("the column class holds words (ground, ...) and is left out",)
    with pytest.raises(DataError, match=r"the labels in class are words \(ground, ...\); write numbers"):
        read_cloud(path, label="class")
    path.write_text("1,2,3,ground\n4,5,6,tree\n")
    with pytest.raises(DataError, match=r"holds words \(ground\), and no line names the columns.*--columns"):
        read_cloud(path)
    assert read_cloud(path, columns="x y z _").xyz.tolist() == [[1, 2, 3], [4, 5, 6]]
    for text, said in (
        ("1 2 3\n4 five 6\n", "'five' in line 2, column 2"),
        ("1 2 3\n4 5\n", "line 2 has 2 columns instead of 3"),
        ("no points\n", "no line of its first 1 holds x, y and z"),
    ):
        path.write_text(text)
        with pytest.raises(DataError, match=rf"a\.csv: not a table of numbers: {said}"):
            read_cloud(path)
    path.write_text("")
    assert len(read_cloud(path)) == 0


@pytest.mark.parametrize("label", [None, "class", "label"])
def test_two_fields_that_can_be_the_labels(label: str | None) -> None:
    columns = {name: np.zeros(2) for name in "xyz"} | {"class": np.array([1, 2]), "label": np.array([3, 4])}
    found = from_columns(columns, "a", label)
    assert (None if found.label is None else found.label.tolist()) == {"class": [1, 2], "label": [3, 4]}.get(str(label))
    asked = "class and label could be the class codes, and they differ: none of them is taken"
    assert any(asked in note for note in found.notes) == (label is None)
    same = from_columns(columns | {"class": np.array([3.0, 4.0])}, "a")
    assert same.label is not None and same.label.tolist() == [3, 4] and same.notes == ()


def test_codes_in_floats() -> None:
    axes = {name: np.zeros(3) for name in "xyz"}
    noisy = from_columns(axes | {"label": np.array([1.00001, np.nan, 2], np.float32)}, "a")
    assert noisy.label is not None and noisy.label.tolist() == [1, -1, 2]
    share = from_columns(axes | {"label": np.array([0.5, 1, 2])}, "a")
    assert share.label is None
    assert share.notes == ("label holds no whole numbers and is not taken for the class codes",)
    with pytest.raises(DataError, match="whole numbers"):
        from_columns(axes | {"label": np.array([0.5, 1, 2])}, "a", "label")


def test_a_fields_own_name_comes_before_what_means_the_same() -> None:
    assert name_fields(["Reflectance", "intensity"]) == {"Reflectance": "reflectance", "intensity": "intensity"}
    assert name_fields(["Reflectance"]) == {"Reflectance": "intensity"}
    assert name_fields(["r", "red", "kind"], "kind") == {"r": "r", "red": "red", "kind": "label"}


def test_arrays_of_several_columns_become_fields(tmp_path: Path) -> None:
    table = np.arange(8.0).reshape(2, 4)
    assert {name: values.tolist() for name, values in split_columns("normal", table).items()} == {
        "nx": [0, 4], "ny": [1, 5], "nz": [2, 6], "normal_3": [3, 7],
    }  # fmt: skip
    assert list(split_columns("points", table, placed=True)) == ["points_0", "points_1", "points_2", "points_3"]
    assert split_columns("a", table[:, :1])["a"].shape == (2,)
    rows = np.zeros(2, dtype=[("xyz", "f8", 3), ("feature", "f4", 2), ("name", "U3"), ("label", "i4")])
    rows["xyz"], rows["feature"] = [[1, 2, 3], [4, 5, 6]], [[7, 8], [9, 10]]
    np.save(tmp_path / "a.npy", rows)
    found = read_cloud(tmp_path / "a.npy")
    assert found.xyz.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert {name: values.tolist() for name, values in found.fields.items()} == {
        "feature_0": [7, 9],
        "feature_1": [8, 10],
    }
    np.savez(tmp_path / "a.npz", points=np.hstack([XYZ, RGB]), label=LABEL)
    assert list(read_cloud(tmp_path / "a.npz").fields) == ["points_3", "points_4", "points_5"]


PCD = (
    "VERSION .7\nFIELDS x y z normal\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 3\n{}"
    "DATA ascii\n1 2 3 0 0 1\n4 5 6 0 1 0\n"
)


@pytest.mark.parametrize("count", ["WIDTH 2\nHEIGHT 1\n", "WIDTH 1\nHEIGHT 2\n", "WIDTH 2\n", "POINTS 2\n"])
def test_pcd_counts_its_points_in_some_way(tmp_path: Path, count: str) -> None:
    (tmp_path / "a.pcd").write_text(PCD.format(count))
    found = read_cloud(tmp_path / "a.pcd")
    assert found.xyz.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found.fields["nz"].tolist() == [1, 0]
    (tmp_path / "b.pcd").write_text(PCD.format(""))
    with pytest.raises(DataError, match=r"b\.pcd.*neither POINTS nor WIDTH"):
        read_cloud(tmp_path / "b.pcd")


def test_old_pcd(tmp_path: Path) -> None:
    (tmp_path / "a.pcd").write_text("COLUMNS x y z\nPOINTS 1\nDATA ascii\n1 2 3\n")
    assert read_cloud(tmp_path / "a.pcd").xyz.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("name", ["a.bin", "a.e57"])
def test_formats_that_name_their_fields_take_no_label(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UsageError, match="leave the field 'kind' out"):
        open_cloud(tmp_path / name, label="kind")


def test_intensities_on_one_scale() -> None:
    """The same strengths as whole numbers, as floats of a table, and as those of a Leica scanner."""
    from intarsia.transforms.clouds.features import compute

    pytest.importorskip("scipy")

    def strength(values: list[float], kind: Callable[..., np.ndarray] = np.float32) -> list[float]:
        given = PointCloud(np.zeros((2, 3)), {"intensity": kind(values)})
        return compute(given, ("intensity",), bounds=np.zeros((2, 3)), neighbours=3)[:, 0].tolist()

    whole = strength([0, 255], np.uint16)
    assert strength([0, 255]) == whole
    assert whole[1] == pytest.approx(0.5, abs=1e-4)
    assert strength([-2048, -1793]) == whole
    assert strength([0, 0.5]) == [0, 0.5]
