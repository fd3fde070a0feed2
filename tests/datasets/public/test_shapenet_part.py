"""ShapeNet part in its three forms: splits, categories and parts as the files say, and what is wrong with them."""

from __future__ import annotations

import json
import pickle
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
import trees
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.datasets import Dataset, ReadOptions, open_dataset
from intarsia.datasets.public.shapenet_part import LAYOUTS, SHAPENET_PART, form, shapes
from intarsia.errors import DataError, UsageError
from intarsia.transforms.clouds.categories import CATEGORIES, PARTS, part_names

CAP, MUG = CATEGORIES.index("cap"), CATEGORIES.index("mug")
TREES = {
    "shapenet-part": trees.shapenet_part,
    "shapenet-part-v0": lambda root: trees.shapenet_part(root, v0=True),
    "shapenet-part-hdf5": trees.shapenet_part_hdf5,
}
FOLDER = "shapenetcore_partanno_segmentation_benchmark_v0"


def rows(dataset: Dataset, split: str) -> list[tuple[str, int, set[str]]]:
    """Of each object its id, its category, and the names of its parts."""
    part = dataset.split(split)
    found = []
    for index, item in enumerate(part.items):
        cloud, target = part.read(index)
        assert len(cloud) == len(target) == 12
        (category,) = set(cloud.fields["category"].tolist())
        assert (target == part.space.index(part_names(CATEGORIES[category])[0]) + (cloud.xyz[:, 2] > 0)).all()
        found.append((item.id, category, {part.space.names[label] for label in target}))
    return found


def test_parts_are_those_of_the_data_set() -> None:
    # overallid_to_catid_partid.json: where the numbers of each category start.
    firsts = [0, 4, 6, 8, 12, 16, 19, 22, 24, 28, 30, 36, 38, 41, 44, 47]
    assert [SHAPENET_PART.index(f"{category}_0") for category in CATEGORIES] == firsts
    assert (len(SHAPENET_PART), len(CATEGORIES), sum(PARTS.values())) == (50, 16, 50)
    assert SHAPENET_PART.names[-1] == "table_2"


@pytest.mark.parametrize("v0", [False, True])
def test_text_forms(v0: bool, tmp_path: Path) -> None:
    root = trees.shapenet_part(tmp_path, v0=v0)
    dataset = open_dataset(root)
    assert dataset.layout == ("shapenet-part-v0" if v0 else "shapenet-part")
    cap, mug = {"cap_0", "cap_1"}, {"mug_0", "mug_1"}
    assert rows(dataset, "train") == [("cap/cap0", CAP, cap), ("cap/cap1", CAP, cap), ("mug/mug0", MUG, mug)]
    assert rows(dataset, "val") == [("cap/cap2", CAP, cap)]
    assert rows(dataset, "test") == [("mug/mug1", MUG, mug)]
    assert not dataset.notes
    assert ("nz" in dataset.split("train").read(0)[0].fields) is not v0
    assert "nz" not in open_dataset(root, ReadOptions(columns="x y z _ _ _ label")).split("train").read(0)[0].fields
    inside = next(root.iterdir())
    assert (
        open_dataset(inside).layout == open_dataset(inside, ReadOptions(layout=dataset.layout)).layout == dataset.layout
    )


def test_hdf5_form(tmp_path: Path) -> None:
    dataset = open_dataset(trees.shapenet_part_hdf5(tmp_path))
    assert dataset.layout == "shapenet-part-hdf5"
    assert [(name, category) for name, category, _ in rows(dataset, "train")] == [
        ("cap/ply_data_train0-0000", CAP), ("mug/ply_data_train0-0001", MUG), ("cap/ply_data_train0-0002", CAP),
    ]  # fmt: skip
    assert [name for name, *_ in rows(dataset, "test")] == ["mug/ply_data_test0-0000"]
    assert dataset.notes == (f"No split val: {tmp_path / 'hdf5_data/val_hdf5_file_list.txt'} is missing.",)
    with h5py.File(tmp_path / "hdf5_data/ply_data_train0.h5") as file:
        assert np.array_equal(dataset.split("train").read(1)[0].xyz, file["data"][1])


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_form_is_known_for_what_it_is(name: str, tmp_path: Path) -> None:
    root = TREES[name](tmp_path)
    assert form(root) == name
    assert open_dataset(root).recipe == "object-parts"
    with pytest.raises(UsageError, match="the classes of ShapeNet part are its own"):
        open_dataset(root, ReadOptions(classes=["panel", "peak"]))
    assert open_dataset(root, ReadOptions(classes=list(SHAPENET_PART.names))).layout == name
    split = open_dataset(root).split("train")
    assert np.array_equal(pickle.loads(pickle.dumps(split)).read(2)[1], split.read(2)[1])
    assert split.count().pixels.sum() == 36


def broken(root: Path, file: str, content: str | None) -> Path:
    """The tree with normals, one of its files changed or removed."""
    path = trees.shapenet_part(root) / f"{FOLDER}_normal" / file
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    return path


LIST = "train_test_split/shuffled_train_file_list.json"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (LIST, "[", "not a JSON list"),
        (LIST, "[" * 100_000, "not a JSON list"),
        (LIST, '{"a": 1}', "not a list of texts"),
        (LIST, "[1]", "not a list of texts"),
        (LIST, '["shape_data/02691156/a"]', "has no synset '02691156'"),
        (LIST, '["shape_data/02954340/../../../secret"]', "leads out of the folder"),
        (LIST, '["shape_data/02954340/.."]', "leads out of the folder"),
        (LIST, '["shape_data/02954340"]', "leads out of the folder"),
        (LIST, '["shape_data/02954340/nobody"]', r"1 files that it names are missing: .*nobody\.txt"),
        ("synsetoffset2category.txt", "Hat\t02954340\n", r":1: 'Hat\\t02954340' is no category of ShapeNet part"),
        ("synsetoffset2category.txt", "Cap\t../..\n", ":1: .* is no category of ShapeNet part"),
        ("synsetoffset2category.txt", "Cap\n", ":1: 'Cap' is no category of ShapeNet part"),
        ("02954340/cap1.txt", None, r"1 files that it names are missing: .*cap1\.txt"),
    ],
)
def test_broken_lists_are_named(file: str, content: str | None, message: str, tmp_path: Path) -> None:
    path = broken(tmp_path, file, content)
    named = path if content is not None else path.parents[1] / LIST
    with pytest.raises(DataError, match=message) as error:
        open_dataset(tmp_path)
    assert str(named) in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the object has no points"),
        ("0 0 0 0 0 1 36\n", "it has the part 36, but the parts of the category cap are 6 to 7"),
        ("0 0 0 0 0 1 5\n0 0 1 0 0 1 6\n", "it has the part 5, but"),
        ("0 0 0 0 0 1 6.5\n", "label holds no whole numbers"),
        ("0 0 0 6\n", "7 column names .* for 4 columns"),
        ("0 0 0 0 0 1 six\n0 0 1 0 0 1 6\n", r"cap0\.txt.*six"),
        ("x y z nx ny nz part\n", "the object has no points"),
    ],
)
def test_broken_objects_are_named(content: str, message: str, tmp_path: Path) -> None:
    path = broken(tmp_path, "02954340/cap0.txt", content)
    with pytest.raises(DataError, match=message) as error:
        open_dataset(tmp_path).split("train").read(0)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("points_label/cap0.seg", "1\n2\n", "2 parts for the 12 points of"),
        ("points_label/cap0.seg", "one\n" * 12, "not a list of part numbers"),
        ("points_label/cap0.seg", "0\n" * 12, "it has the part 5, but the parts of the category cap are 6 to 7"),
        ("points_label/cap0.seg", "3\n" * 12, "it has the part 8, but"),
        ("points_label/cap0.seg", "", "the object has no points"),
        ("points/cap0.pts", "", "the object has no points"),
    ],
)
def test_broken_objects_of_v0_are_named(file: str, content: str, message: str, tmp_path: Path) -> None:
    (trees.shapenet_part(tmp_path, v0=True) / FOLDER / "02954340" / file).write_text(content)
    with pytest.raises(DataError, match=message) as error:
        open_dataset(tmp_path).split("train").read(0)
    assert "cap0" in str(error.value)


def test_missing_lists(tmp_path: Path) -> None:
    folder = trees.shapenet_part(tmp_path) / f"{FOLDER}_normal"
    (folder / "train_test_split/shuffled_test_file_list.json").unlink()
    found = open_dataset(tmp_path)
    assert set(found.splits) == {"train", "val"}
    assert "No split test" in found.notes[0]
    for file in (folder / "train_test_split").iterdir():
        file.unlink()
    with pytest.raises(DataError, match=r"the lists of its splits are missing.*shuffled_train_file_list\.json"):
        open_dataset(tmp_path)
    with pytest.raises(DataError, match=r"it has no train_hdf5_file_list\.txt\.\nHow to get it"):
        open_dataset(tmp_path, ReadOptions(layout="shapenet-part-hdf5"))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pid": None}, "it has no pid, but: data, label"),
        ({"data": np.zeros((3, 12, 2))}, r"are needed, these are data \(3, 12, 2\)"),
        ({"pid": np.zeros((3, 11), np.uint8)}, r"pid \(3, 11\)"),
        ({"label": np.zeros((2, 1), np.uint8)}, r"label \(2, 1\)"),
        ({"label": np.full((3, 1), 16, np.uint8)}, "it has the category 16; ShapeNet part has 0 to 15"),
        ({"label": np.zeros((3, 1))}, "label and pid have to be whole numbers"),
        ({"data": np.zeros((3, 0, 3)), "pid": np.zeros((3, 0), np.uint8)}, "its objects have no points"),
    ],
)
def test_broken_hdf5_is_named(arrays: dict[str, np.ndarray | None], message: str, tmp_path: Path) -> None:
    path = trees.shapenet_part_hdf5(tmp_path) / "hdf5_data/ply_data_train0.h5"
    with h5py.File(path, "a") as file:
        for name, values in arrays.items():
            del file[name]
            if values is not None:
                file[name] = values
    with pytest.raises(DataError, match=message) as error:
        open_dataset(tmp_path)
    assert str(path) in str(error.value)


def test_hdf5_files_that_are_none(tmp_path: Path) -> None:
    folder = trees.shapenet_part_hdf5(tmp_path) / "hdf5_data"
    (folder / "ply_data_train0.h5").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"ply_data_train0\.h5: not a readable HDF5 file"):
        open_dataset(tmp_path)
    (folder / "train_hdf5_file_list.txt").write_text("/etc/nothing.h5\n")
    with pytest.raises(DataError, match=r"hdf5_data/nothing\.h5: cannot be read"):
        open_dataset(tmp_path)


def test_a_row_with_a_wrong_part(tmp_path: Path) -> None:
    folder = trees.shapenet_part_hdf5(tmp_path) / "hdf5_data"
    with h5py.File(folder / "ply_data_train0.h5", "a") as file:
        file["pid"][1, 3] = 6
    split = open_dataset(tmp_path).split("train")
    assert len(split.read(0)[0]) == 12
    with pytest.raises(DataError, match=r"ply_data_train0\.h5 row 1: it has the part 6, but .* mug are 36 to 37"):
        split.read(1)


@pytest.fixture(scope="module")
def walled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with files of one name in and outside of its folders."""
    root = trees.shapenet_part(tmp_path_factory.mktemp("walled") / "data")
    for folder in (root.parent, root, root / f"{FOLDER}_normal", root / f"{FOLDER}_normal/02954340"):
        (folder / "a.txt").write_text("0 0 0 0 0 1 6\n")
    return root


@settings(max_examples=60, deadline=None)
@given(name=st.lists(st.sampled_from(["..", ".", "/", "a", "\\"]), max_size=6).map("".join))
def test_no_name_leads_out_of_its_synset(walled: Path, name: str) -> None:
    folder = walled / f"{FOLDER}_normal"
    (folder / LIST).write_text(json.dumps([f"shape_data/02954340/{name}"]))
    try:
        (shape,) = shapes(walled, "shapenet-part")[0]["train"]
    except DataError:
        assert name != "a"
    else:
        assert shape.cloud.resolve().parent == (folder / "02954340").resolve()


def test_real_caps(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "clouds/shapenetpart_cap/cap_val_test.npz"
    if not source.is_file():
        pytest.skip(f"no {source}")
    stored = np.load(source)
    ends = stored["val_ptr"]
    names = []
    for number, (start, end) in enumerate(pairwise(ends)):
        columns = [stored[f"val_{kind}"][start:end] for kind in ("xyz", "normal", "label")]
        path = tmp_path / f"02954340/{number}.txt"
        path.parent.mkdir(exist_ok=True)
        np.savetxt(path, np.column_stack(columns), fmt="%.6f")
        names.append(f'"shape_data/02954340/{number}"')
    trees.text(tmp_path / "synsetoffset2category.txt", "Cap\t02954340")
    trees.text(tmp_path / "train_test_split/shuffled_val_file_list.json", f"[{', '.join(names)}]")
    split = open_dataset(tmp_path).split("val")
    counts = split.count()
    assert counts.pixels[6:8].tolist() == np.bincount(stored["val_label"], minlength=8)[6:].tolist()
    assert counts.pixels.sum() == ends[-1] == 13259
    assert np.allclose(split.read(1)[0].xyz, stored["val_xyz"][ends[1] : ends[2]], atol=1e-6)
