"""The studio's project: labels with revisions, safe names, and a data set that trainings read as it is."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from volumes_made import body, write_nifti

from intarsia.datasets import open_dataset
from intarsia.errors import DataError, UsageError
from intarsia.labels import LabelSpace
from intarsia.media.images import read_mask
from intarsia.media.png import encode_mask
from intarsia.serving.project import Conflict, NoItem, Project, open_project
from intarsia.serving.project.drafts import Draft
from intarsia.serving.project.names import safe_stem
from intarsia.serving.project.painting import painted
from intarsia.serving.project.revisions import Revisions

SPACE = LabelSpace(("sky", "road", "cat"), ((1, 2, 3), (200, 0, 0), (0, 200, 0)))
SIZE = 24, 32


def picture(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*SIZE, 3), dtype=np.uint8)).save(path)
    return path


def mask(value: int) -> bytes:
    labels = np.full(SIZE, value, np.uint8)
    labels[:4] = 255
    return encode_mask(labels, SPACE)


@pytest.fixture
def workspace(tmp_path: Path) -> Project:
    project = Project(tmp_path / "work", default=lambda: SPACE)
    for name in ("b", "a"):
        project.add(f"{name}.png", picture(tmp_path / "in" / f"{name}.png").read_bytes())
    return project


def labelled(folder: Path) -> Path:
    """A data set of two pictures, one of which has a mask."""
    for number, name in enumerate(("one", "two")):
        picture(folder / "images" / f"{name}.png", number)
    (folder / "masks").mkdir()
    (folder / "masks" / "one.png").write_bytes(mask(1))
    (folder / "classes.json").write_text(json.dumps(SPACE.to_json()))
    return folder


@given(st.text(), st.frozensets(st.sampled_from(["a", "item", "photo", "con", "a-2"])))
def test_names_of_uploads_lead_nowhere(name: str, taken: frozenset[str]) -> None:
    stem = safe_stem(name, taken)
    assert stem.casefold() not in taken
    assert not set(stem) & set('/\\:*?"<>|\0 ') and stem.isprintable()
    assert not stem.startswith(".") and not stem.endswith(".") and ".." not in stem
    assert 0 < len(stem.encode()) <= 170
    assert os.path.normpath(os.path.join("folder", stem)) == os.path.join("folder", stem)
    assert stem.split(".")[0].casefold() not in {"con", "nul", "com1"}


@given(st.text())
def test_names_that_are_taken_stay_readable(name: str) -> None:
    first = safe_stem(name, ())
    assert safe_stem(name, {first.casefold()}) == f"{first}-2"
    assert safe_stem(first, ()) == first


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../etc/passwd", "passwd"), ("C:\\Photos\\IMG 1.JPG", "IMG_1"), ("scan.nii.gz", "scan"),
        ("Straße.png", "Straße"), ("con.png", "item_con"), ("", "item"), ("...", "item"), ("a.b.png", "a.b"),
        ("日本.jpg", "日本"),
    ],
)  # fmt: skip
def test_names_stay_readable(name: str, stem: str) -> None:
    assert safe_stem(name, ()) == stem


def test_uploads_of_one_name_are_two_items(workspace: Project, tmp_path: Path) -> None:
    assert workspace.add("A.png", picture(tmp_path / "A.png", 7)) == "A-2"
    assert list(workspace.items()) == ["A-2", "a", "b"]
    assert sorted(path.name for path in (workspace.folder / "images").iterdir()) == ["A-2.png", "a.png", "b.png"]


@pytest.mark.parametrize("content", [b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_cannot_be_read_is_not_added(workspace: Project, content: bytes) -> None:
    with pytest.raises(DataError, match=r"mine\.png"):
        workspace.add("mine.png", content)
    with pytest.raises(DataError, match="nothing that Intarsia reads"):
        workspace.add("mine.exe", content)
    assert list(workspace.items()) == ["a", "b"]
    assert not list((workspace.folder / ".intarsia" / "incoming").iterdir())


def test_revisions(workspace: Project) -> None:
    assert workspace.labels("a") is None
    assert workspace.status("a").state == "new"
    assert workspace.put("a", mask(0), expected=0) == 1
    assert workspace.put("a", mask(2), expected=1) == 2
    assert workspace.labels("a") == (mask(2), 2)
    assert workspace.status("a").state == "corrected" and workspace.status("a").revision == 2
    with pytest.raises(Conflict, match="revision 2 now, yours began at 1") as caught:
        workspace.put("a", mask(1), expected=1)
    assert caught.value.present == 2
    assert workspace.labels("a") == (mask(2), 2)
    assert len(list((workspace.folder / ".intarsia" / "items" / "a").iterdir())) == 1  # old ones go


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (encode_mask(np.zeros((4, 4), np.uint8), SPACE), "is 4x4, and a is 32x24"),
        (encode_mask(np.full(SIZE, 3, np.uint8), LabelSpace(tuple("wxyz"))), "label 3 is outside"),
        (b"junk", "not an image"),
    ],
)
def test_labels_that_do_not_fit_change_nothing(workspace: Project, data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        workspace.put("a", data, expected=0)
    assert workspace.labels("a") is None


def test_unknown_items_and_frames(workspace: Project) -> None:
    with pytest.raises(NoItem, match="Did you mean 'a'"):
        workspace.labels("aa")
    with pytest.raises(UsageError, match="no frame 1"):
        workspace.put("a", mask(0), expected=0, frame=1)


def test_what_was_corrected_is_a_data_set(workspace: Project) -> None:
    workspace.put("a", mask(2), expected=0)
    found = open_dataset(workspace.folder)
    assert (found.layout, found.space) == ("folder", SPACE)
    split = found.first
    assert [item.id for item in split.items] == ["a"]
    image, target = split.read(0)
    assert np.array_equal(image, workspace.views.picture(workspace.item("a")))
    assert target[0, 0] == 255 and target[-1, -1] == 2
    assert [path.name for path in found.unpaired_images] == ["b.png"]


def test_a_data_set_is_opened_and_never_changed(tmp_path: Path) -> None:
    data = labelled(tmp_path / "data")
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    project = open_project(tmp_path / "state", data, default=lambda: LabelSpace(("other",)))
    assert list(project.items()) == ["images_one", "images_two"]
    assert project.space == SPACE
    assert project.status("images_one") == project.status("images_one").__class__(1, "labelled", None, None, (0,))
    found = project.labels("images_one")
    assert found is not None and found[1] == 1
    assert np.array_equal(project.decoded("images_one", found[0], "it"), read_mask(data / "masks" / "one.png"))
    with pytest.raises(Conflict):
        project.put("images_one", mask(0), expected=0)
    assert project.put("images_one", mask(0), expected=1) == 2
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before
    project.put("images_two", mask(2), expected=0)
    again = open_dataset(project.folder, val_fraction=0)
    assert [item.id for item in again.first.items] == ["images_one", "images_two"]
    assert np.unique(again.first.read(0)[1]).tolist() == [0, 255]


def test_a_project_is_found_again(tmp_path: Path) -> None:
    data = labelled(tmp_path / "data")
    first = open_project(tmp_path / "state", data, default=lambda: SPACE)
    first.put("images_two", mask(1), expected=0)
    picture(data / "images" / "a new one.png")
    for place, of in ((tmp_path / "state", data), (tmp_path / "elsewhere", first.folder)):
        again = open_project(place, of, default=lambda: SPACE)
        assert again.labels("images_two") == (mask(1), 1)
        assert list(again.items()) == ["images_a_new_one", "images_one", "images_two"]


def test_ids_last_when_files_come_and_go(tmp_path: Path) -> None:
    data = tmp_path / "data"
    picture(data / "b" / "x.png"), picture(data / "b_x.png")
    ids = dict.fromkeys(open_project(tmp_path, data, default=lambda: SPACE).items())
    assert list(ids) == ["b_x", "b_x-2"]
    (data / "b" / "x.png").unlink()
    assert list(open_project(tmp_path, data, default=lambda: SPACE).items()) == ["b_x-2"]


def test_gather_writes_the_data_s_own_labels_and_mends_what_a_crash_left(tmp_path: Path) -> None:
    project = open_project(tmp_path / "state", labelled(tmp_path / "data"), default=lambda: SPACE)
    project.put("images_two", mask(2), expected=0)
    (project.folder / "masks" / "images_two.png").unlink()
    told: list[tuple[int, int]] = []
    project.gather(lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    masks = {path.stem: int(read_mask(path)[-1, -1]) for path in (project.folder / "masks").iterdir()}
    assert masks == {"images_one": 1, "images_two": 2}


def test_what_an_ended_process_left_is_swept_away(workspace: Project) -> None:
    incoming = workspace.folder / ".intarsia" / "incoming"
    for name, age in (("old.png", 2 * 24 * 3600), ("new.png", 60)):
        (incoming / name).write_bytes(b"half")
        os.utime(incoming / name, (time.time() - age,) * 2)
    Project(workspace.folder, default=lambda: SPACE)
    assert [path.name for path in incoming.iterdir()] == ["new.png"]


def test_nothing_to_gather(workspace: Project) -> None:
    with pytest.raises(DataError, match="nothing in work is labelled yet"):
        workspace.gather()


def test_classes_are_renamed_recoloured_reordered_and_added(workspace: Project) -> None:
    workspace.put("a", mask(2), expected=0)
    rows = [
        {"index": 2, "name": "dog", "color": "#0000ff"}, {"index": 0, "name": "sky", "color": "#010203"},
        {"name": "tree"}, {"index": 1, "name": "road", "color": "#c80000"},
    ]  # fmt: skip
    workspace.change_classes(rows)
    assert workspace.space.names == ("sky", "road", "dog", "tree")
    assert [row["index"] for row in workspace.classes.rows()] == [2, 0, 3, 1]
    assert workspace.labels("a") == (mask(2), 1)  # numbers stay
    found = open_dataset(workspace.folder, val_fraction=0)
    assert found.space == workspace.space
    with Image.open(workspace.folder / "masks" / "a.png") as image:
        assert image.getpalette("RGB")[6:9] == [0, 0, 255]  # type: ignore[index]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"index": 0, "name": "sky"}], "'road' is missing"),
        ([{"index": n, "name": "x"} for n in range(3)], "two classes are named 'x'"),
        ([{"index": n, "name": " "} for n in range(3)], "class 0 has no name"),
        ([{"index": n, "name": f"{n}\0"} for n in range(3)], "cannot be shown"),
        ([{"index": n, "name": str(n), "color": "red"} for n in range(3)], "#rrggbb"),
        ([{"index": n, "name": str(n)} for n in (0, 1, 2, 2)], "each once"),
        ([{"index": n, "name": str(n)} for n in range(3)] + [{"name": f"n{n}"} for n in range(300)], "too many"),
    ],
)
def test_classes_that_cannot_be(workspace: Project, rows: list[dict[str, object]], message: str) -> None:
    workspace.put("a", mask(1), expected=0)
    with pytest.raises(UsageError, match=message):
        workspace.change_classes(rows)
    assert workspace.space == SPACE


def test_classes_are_removed_while_nothing_is_labelled(workspace: Project) -> None:
    draft = Draft("person", 0.5)
    workspace.drafts.keep("a", 0, mask(2), mask(0), draft)
    workspace.change_classes([{"index": n, "name": name} for n, name in enumerate(("sky", "street", "cat"))])
    assert workspace.drafts.of("a") == {0: draft}
    after = workspace.change_classes([{"name": "cup"}, {"index": 2, "name": "cat"}])
    assert (after.space.names, after.order) == (("cat", "cup"), (1, 0))
    assert after.space.palette[0] == SPACE.palette[2]
    assert not workspace.drafts  # its numbers are of classes that are gone
    table = after.lookup_from(LabelSpace(("road", "street", "cat", "cup")))
    assert table[:4].tolist() == [after.space.ignore_index, after.space.ignore_index, 0, 1]
    workspace.put("a", mask(1), expected=0)
    with pytest.raises(UsageError, match="'cat' is missing"):
        workspace.change_classes([{"index": 1, "name": "cup"}])


def test_all_classes_are_replaced_by_ones_of_one_s_own(workspace: Project) -> None:
    assert workspace.change_classes([{"name": "coin"}]).space.names == ("coin",)


def test_classes_that_the_data_brought_are_not_removed(tmp_path: Path) -> None:
    project = open_project(tmp_path / "state", labelled(tmp_path / "data"), default=lambda: SPACE)
    with pytest.raises(UsageError, match="is missing"):
        project.change_classes([{"name": "coin"}])


def test_labels_of_the_data_follow_a_renamed_class(tmp_path: Path) -> None:
    project = open_project(tmp_path / "state", labelled(tmp_path / "data"), default=lambda: SPACE)
    project.change_classes([{"index": n, "name": f"new {n}"} for n in range(3)])
    assert np.unique(project.truth("images_one")).tolist() == [1, 255]


def test_a_model_s_classes_give_way_until_something_is_labelled(workspace: Project) -> None:
    other = LabelSpace(("person", "background"))
    assert workspace.adopt(other) and workspace.space == other
    workspace.put("a", mask(1), expected=0)
    assert not workspace.adopt(SPACE) and workspace.space == other


def test_items_are_listed_as_people_count_whatever_their_kind(workspace: Project, tmp_path: Path) -> None:
    values, _ = body()
    workspace.add("b9.nii.gz", write_nifti(tmp_path / "scan.nii.gz", values))
    for name in ("B10.png", "b2.png"):
        workspace.add(name, picture(tmp_path / "in" / name))
    places = [workspace.item(name).place.rsplit("/")[-1] for name in workspace.listed()]
    assert places == ["a.png", "b.png", "b2.png", "b9.nii.gz", "B10.png"]


def test_items_are_removed(workspace: Project) -> None:
    workspace.put("a", mask(1), expected=0)
    workspace.remove("a")
    assert list(workspace.items()) == ["b"]
    assert [path.name for path in workspace.folder.rglob("a*")] == []


def test_the_data_s_own_files_are_hidden_not_removed(tmp_path: Path) -> None:
    data = labelled(tmp_path / "data")
    project = open_project(tmp_path / "state", data, default=lambda: SPACE)
    project.remove("images_one")
    assert list(project.items()) == ["images_two"]
    assert (data / "images" / "one.png").exists()
    assert list(open_project(tmp_path / "state", data, default=lambda: SPACE).items()) == ["images_two"]


def test_a_large_folder_is_listed_without_opening_its_pictures(tmp_path: Path) -> None:
    project = Project(tmp_path, default=lambda: SPACE)
    (tmp_path / "images").mkdir()
    for number in range(3000):
        (tmp_path / "images" / f"{number:05d}.png").touch()  # empty: opening one would fail
    assert len(project.listed()) == 3000
    assert project.listed("uncertainty")[0] == "00000"
    with pytest.raises(DataError, match="0 bytes"):
        project.facts("00000")


RACE = """
import os, sys
from pathlib import Path
from intarsia.serving.project import Conflict
from intarsia.serving.project.revisions import Revisions
for value in (b"1", b"2"):
    if os.fork() == 0:
        revisions, saved = Revisions(Path(sys.argv[1])), 0
        while saved < 20:
            there = revisions.read("a")
            try:
                revisions.save("a", 0, value, expected=there[1] if there else 0)
            except Conflict:
                continue
            saved += 1
        os._exit(0)
print([os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(2)])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", RACE, str(tmp_path / "items")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[0, 0]\n", done.stderr
    assert Revisions(tmp_path / "items").of("a")[0].revision == 40  # as often as both have saved


KILLED = """
import os, signal, sys
from pathlib import Path
from intarsia import files
from intarsia.serving.project import revisions
step = at = 0
def counted(function):
    def call(*args, **kwargs):
        global step
        step += 1
        if step == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call
for name in ("replace", "fsync", "unlink", "open"):
    setattr(os, name, counted(getattr(os, name)))
Path.write_bytes = counted(Path.write_bytes)
for folder in map(Path, sys.argv[1:]):  # each in a child of its own, which has imported all of it
    step, at = 0, int(folder.name)
    child = os.fork()
    if child == 0:
        revisions.Revisions(folder / "items").save("a", 0, b"new", expected=1)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_a_kill_at_any_step_leaves_the_old_or_the_new_labels(tmp_path: Path) -> None:
    folders = [tmp_path / str(at) for at in range(1, 40)]
    for folder in folders:
        Revisions(folder / "items").save("a", 0, b"old", expected=0)
    command = [sys.executable, "-c", KILLED, *map(str, folders)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ends, seen = [int(end) for end in done.stdout.split()], set()
    for folder, end in zip(folders, ends, strict=True):
        items = folder / "items"
        found = Revisions(items).read("a")
        assert found in ((b"old", 1), (b"new", 2)), (folder.name, end)
        seen.add(found[1])
        assert end == -signal.SIGKILL or found[1] == 2
        assert Revisions(items).save("a", 0, b"next", expected=found[1]) == found[1] + 1
        assert [path.name[0] for path in (items / "a").iterdir()] == ["0"]  # nothing is left over
    steps = ends.index(0)
    assert ends == [-signal.SIGKILL] * steps + [0] * (len(ends) - steps), "fewer steps than kills were tried"
    assert seen == {1, 2}


def test_a_folder_of_photos_is_opened_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(tmp_path / "data" / "a.jpg"), picture(tmp_path / "data" / "trip" / "b.jpeg")
    monkeypatch.setattr("intarsia.serving.project.items.open_dataset", None)  # which looks into every file
    assert list(open_project(tmp_path, tmp_path / "data", default=lambda: SPACE).items()) == ["a", "trip_b"]


@pytest.mark.parametrize("packed", [False, True])
def test_an_annotation_tool_s_export_is_opened(tmp_path: Path, packed: bool) -> None:
    picture(tmp_path / "data" / "a.png")
    shape = {"label": "cat", "points": [[4, 4], [20, 4], [20, 16], [4, 16]], "shape_type": "polygon"}
    document = {"version": "5", "imagePath": "a.png", "imageHeight": 24, "imageWidth": 32, "shapes": [shape]}
    (tmp_path / "data" / "a.json").write_text(json.dumps(document | {"flags": {}, "imageData": None}))
    data = tmp_path / "data"
    if packed:
        data = Path(shutil.make_archive(str(tmp_path / "export"), "zip", data))
    for _ in range(2):
        project = open_project(tmp_path / "state", data, default=lambda: SPACE)
        assert list(project.items()) == ["a"] and "cat" in project.space.names
        cat = project.space.names.index("cat")
        labels = project.truth("a")
        assert (labels[5:15, 5:19] == cat).all() and not (labels[18:] == cat).any()
    project.put("a", encode_mask(np.full(SIZE, cat, np.uint8), project.space), expected=1)
    image = project.folder / "images" / "a.png"
    assert image.is_symlink() is not packed  # what was unpacked does not last
    del project
    assert (open_dataset(project_folder(tmp_path), val_fraction=0).first.read(0)[1] == cat).all()


def project_folder(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "state" / "projects").iterdir()
    return found


@given(st.sampled_from(["P", "L"]), st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_painting_changes_colours_alone(mode: str, width: int, height: int, seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 3, (height, width)).astype(np.uint8)
    image = Image.fromarray(labels)
    if mode == "P":
        image.putpalette([9, 9, 9] * 256)
    file = io.BytesIO()
    image.save(file, "PNG", bits=8)
    found = painted(file.getvalue(), SPACE)
    assert found is not None
    with Image.open(io.BytesIO(found)) as again:
        assert again.mode == "P" and np.array_equal(np.asarray(again), labels)
        palette = again.getpalette("RGB")
        assert palette is not None and palette[:9] == [1, 2, 3, 200, 0, 0, 0, 200, 0]


@pytest.mark.parametrize(("mode", "bits"), [("RGB", 8), ("I;16", 16), ("P", 2), ("1", 1)])
def test_masks_of_other_forms_are_written_anew(workspace: Project, mode: str, bits: int) -> None:
    labels = np.ones(SIZE, np.uint8)
    file = io.BytesIO()
    if mode == "RGB":
        Image.fromarray(np.dstack([labels] * 3)).save(file, "PNG")
        with pytest.raises(DataError, match="32x24 colours"):
            workspace.put("a", file.getvalue(), expected=0)
        return
    image = Image.fromarray(labels.astype(np.uint16)) if bits == 16 else Image.fromarray(labels).convert(mode)
    image = Image.fromarray(labels.astype(bool)) if mode == "1" else image
    image.save(file, "PNG", **({"bits": bits} if mode == "P" else {}))
    assert painted(file.getvalue(), SPACE) is None
    if mode == "P":  # convert chose its own indices
        return
    workspace.put("a", file.getvalue(), expected=0)
    assert np.array_equal(read_mask(workspace.folder / "masks" / "a.png"), labels)
