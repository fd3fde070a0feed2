"""Volumes as data sets: paired by name, divided whole, cut into slices, drawn towards the foreground."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("nibabel", reason="volumes need intarsia[volumes]")

import numpy as np
from volumes_made import AFFINE, body, write_nifti, write_series

from intarsia.datasets import Dataset, open_dataset
from intarsia.datasets.layouts import voxels
from intarsia.datasets.layouts.volumes import VolumeSplit
from intarsia.errors import DataError, UsageError
from intarsia.preprocessing import Preprocessing


def seen(slices: int = 1, **changes: object) -> Preprocessing:
    return Preprocessing(mean=(0.5,) * slices, std=(0.5,) * slices, slices=slices, window=(-1000, 200), **changes)


def make(
    folder: Path, cases: int = 5, *, image: str = "images/case{}.nii.gz", mask: str = "labels/case{}.nii.gz"
) -> Path:
    for index in range(cases):
        values, labels = body((12, 10 + index, 9), seed=index)
        write_nifti(folder / image.format(index), values, codes=("RAS", "LPS")[index % 2])
        write_nifti(folder / mask.format(index), labels, names={1: "organ", 2: "lesion"})
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return open_dataset(make(tmp_path_factory.mktemp("set")))


def test_volumes_are_divided_whole(dataset: Dataset) -> None:
    assert dataset.layout == "volumes" and dataset.space.names == ("background", "organ", "lesion")
    assert any("label table" in note for note in dataset.notes)
    sides = {name: {item.id.rpartition("/")[0] for item in split.items} for name, split in dataset.splits.items()}
    assert sides["train"] | sides["val"] == {f"case{index}" for index in range(5)}
    assert not sides["train"] & sides["val"] and len(sides["val"]) == 1
    for split in dataset.splits.values():
        assert isinstance(split, VolumeSplit) and len(split) == 9 * len(split.wholes())
    for seed in range(4):
        other = open_dataset(dataset.root, seed=seed, val_fraction=0.4)
        parts = [{item.id.rpartition("/")[0] for item in split.items} for split in other.splits.values()]
        assert not parts[0] & parts[1]


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("volume-{}.nii", "segmentation-{}.nii.gz"),
        ("imagesTr/liver_{}_0000.nii.gz", "labelsTr/liver_{}.nii.gz"),
        ("p{}_ct.nii.gz", "p{}_seg.nii.gz"),
        ("train/images/{}.nii", "train/labels/{}_mask.nii"),
    ],
)
def test_names_that_belong_together(tmp_path: Path, image: str, mask: str) -> None:
    make(tmp_path, 3, image=image, mask=mask)
    found = open_dataset(tmp_path, val_fraction=0)
    assert sum(len(split.wholes()) for split in found.splits.values()) == 3
    assert found.layout == ("lits" if image.startswith("volume") else "volumes")


def test_lits_has_its_own_classes_and_protocol(tmp_path: Path) -> None:
    make(tmp_path / "Batch 1", 2, image="volume-{}.nii", mask="segmentation-{}.nii")
    found = open_dataset(tmp_path, val_fraction=0)
    assert found.layout == "lits" and found.space.names == ("background", "liver", "tumour")
    assert [item.id for item, _ in found.split("all").wholes()] == ["volume-0", "volume-1"]


def test_what_does_not_fit_is_left_out_and_said(tmp_path: Path) -> None:
    make(tmp_path, 3)
    values, labels = body((8, 8, 8))
    write_nifti(tmp_path / "images" / "moved.nii.gz", values)
    moved = AFFINE.copy()
    moved[0, 3] += 30
    write_nifti(tmp_path / "labels" / "moved.nii.gz", labels, moved)
    write_nifti(tmp_path / "images" / "cropped.nii.gz", values)
    write_nifti(tmp_path / "labels" / "cropped.nii.gz", labels[:7])
    write_nifti(tmp_path / "images" / "alone.nii.gz", values)
    (tmp_path / "images" / "broken.nii.gz").write_bytes(b"nothing")
    write_nifti(tmp_path / "labels" / "broken.nii.gz", labels)
    found = open_dataset(tmp_path, val_fraction=0)
    assert len(found.split("all").wholes()) == 3
    text = " ".join(found.faults)
    assert "moved.nii.gz: it does not fit its image" in text and "lie up to 30.0 mm" in text
    assert "it has 7 x 8 x 8 voxels (RAS), the image 8 x 8 x 8 (RAS)" in text and "broken.nii.gz" in text
    assert [path.name for path in found.unpaired_images] == ["alone.nii.gz"]
    (tmp_path / "only").mkdir()
    write_nifti(tmp_path / "only" / "a.nii.gz", values)
    with pytest.raises(DataError, match="1 volumes and 0 label volumes, but no names match"):
        open_dataset(tmp_path / "only")


def test_a_mask_without_orientation_lies_where_its_image_does(tmp_path: Path) -> None:
    values, labels = body()
    write_nifti(tmp_path / "images" / "a.nii", values)
    raw = bytearray(write_nifti(tmp_path / "labels" / "a.nii", labels).read_bytes())
    raw[252:256] = bytes(4)  # sform and qform codes
    (tmp_path / "labels" / "a.nii").write_bytes(raw)
    split = open_dataset(tmp_path, val_fraction=0).split("all").for_input(seen())
    assert np.array_equal(split.read(4)[1], labels[::-1, ::-1, 4].T)


def test_a_slice_its_neighbours_and_its_target(dataset: Dataset) -> None:
    split = dataset.split("train")
    case = split.wholes()[0][0].id
    values, labels = body((12, 10 + int(case[-1]), 9), seed=int(case[-1]))
    bytes_ = np.rint(np.clip((values + 1000.0) * 255 / 1200, 0, 255)).astype(np.uint8)
    image, target = split.for_input(seen(3)).read(4)
    # Rows from the front to the back, columns from the patient's right to the left.
    assert np.array_equal(image, bytes_[::-1, ::-1, 3:6].transpose(1, 0, 2))
    assert np.array_equal(target, labels[::-1, ::-1, 4].T)
    coronal = split.for_input(seen(1, axis="coronal"))
    assert len(coronal.items) == sum(len(indices) for _, indices in coronal.wholes()) != len(split)
    image, target = coronal.read(2)
    assert np.array_equal(image[..., 0], bytes_[::-1, 2, ::-1].T) and np.array_equal(target, labels[::-1, 2, ::-1].T)
    with pytest.raises(UsageError, match="the model is for pictures"):
        split.for_input(Preprocessing())


def test_unbound_splits_show_grey_pictures(dataset: Dataset) -> None:
    image, target = dataset.split("train").read(3)
    assert image.shape == (*target.shape, 3) and image.dtype == np.uint8
    counts = dataset.split("train").count()
    assert (counts.pixels > 0).all() and counts.counted == len(dataset.split("train"))
    report = dataset.check()
    assert not report.errors


def test_draws_are_balanced_towards_the_foreground_class_by_class(dataset: Dataset) -> None:
    split = dataset.split("train")
    always = split.for_training(seen(), foreground=1)
    never = split.for_training(seen(), foreground=0)
    drawn = [always.draw(0, (4, 4), seed)[1] for seed in range(200)]
    assert all((target > 0).any() for target in drawn)
    lesion = np.mean([(target == 2).any() for target in drawn])
    # Half of the draws ask for the lesion, which lies in two slices; the others for the organ, in four.
    assert 0.6 < lesion < 0.9
    assert np.array_equal(always.draw(0, (4, 4), 7)[0], always.draw(0, (4, 4), 7)[0])
    assert all(np.array_equal(never.draw(5, (4, 4), seed)[1], never.read(5)[1]) for seed in range(5))


def test_the_window_of_a_ct_is_that_of_its_foreground(dataset: Dataset, tmp_path: Path) -> None:
    assert dataset.split("train").window() == (50, 190)  # organ 60, lesion 180, noise of 9
    for folder, values in (("images", np.arange(60, dtype=np.int16)), ("labels", np.tile(np.uint8([0, 1]), 30))):
        write_nifti(tmp_path / folder / "mr.nii", values.reshape(3, 4, 5))
    assert open_dataset(tmp_path, val_fraction=0).split("all").window() is None


def test_decoded_volumes_go_to_disk_when_memory_is_short(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    split = dataset.split("train").for_training(seen(), foreground=0)
    expected = [split.read(index) for index in range(len(split))]
    monkeypatch.setattr(voxels, "_STORE", voxels._Store())
    monkeypatch.setattr(voxels, "available_memory", lambda: 1000.0)
    monkeypatch.setattr(voxels.tempfile, "tempdir", str(tmp_path))
    assert split.prepare()
    for index, (image, target) in enumerate(expected):
        found = split.read(index)
        assert np.array_equal(found[0], image) and np.array_equal(found[1], target)
    kept = list(tmp_path.rglob("*.npy"))
    assert len(kept) == 2 * len(split.wholes())  # voxels and labels of each volume, once
    voxels._STORE = None  # type: ignore[assignment]
    assert not list(tmp_path.rglob("*.npy"))


def test_only_some_volumes_are_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    store = voxels._Store()
    monkeypatch.setattr(voxels, "_LEAST", 0)
    monkeypatch.setattr(voxels, "available_memory", lambda: 10_000.0)  # a tenth of it: three arrays of 300
    made: list[int] = []

    def get(key: int) -> None:
        store.get(key, lambda: made.append(key) or np.zeros(300, np.uint8))

    for key in (1, 2, 3, 1, 4, 1, 2):
        get(key)
    assert made == [1, 2, 3, 4, 2]  # 2 was used longest ago when 4 came


def test_a_full_disk_is_said_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(voxels.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(DataError, match="TMPDIR"):
        voxels._Store().spill(1 << 60)
    assert not list(tmp_path.iterdir())


def test_dicom_folders_are_no_data_sets(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", np.zeros((2, 3, 3), np.int16))
    with pytest.raises(
        DataError, match=r"2 images, but no masks, and .* is a DICOM slice of a scan: .*dcm2niix converts"
    ):
        open_dataset(tmp_path / "ct")


def test_neighbouring_slices_of_real_chunks(real_data: Path, tmp_path: Path) -> None:
    """Files that hold seven neighbouring slices as channels: the middle one with its neighbours is all of them."""
    import nibabel

    folder = real_data / "liver_vessel_volumes" / "train"
    if not folder.is_dir():
        pytest.skip("no liver_vessel_volumes/ in the real data")
    stored = np.asarray(nibabel.load(sorted(folder.glob("*.nii.gz"))[0]).dataobj)
    write_nifti(tmp_path / "images" / "a.nii", np.ascontiguousarray(stored[..., 1:]))
    write_nifti(tmp_path / "labels" / "a.nii", np.ascontiguousarray(np.repeat(stored[..., :1] // 255, 7, axis=2)))
    split = open_dataset(tmp_path, val_fraction=0).split("all")
    image, target = split.for_input(Preprocessing(mean=(0,) * 7, std=(1,) * 7, slices=7, window=(0, 255))).read(3)
    assert np.array_equal(image, stored[::-1, ::-1, 1:].transpose(1, 0, 2))
    assert np.array_equal(target, stored[::-1, ::-1, 0].T // 255)


def test_labels_that_are_whole_numbers_but_for_noise(tmp_path: Path) -> None:
    values, labels = body((12, 10, 9))
    write_nifti(tmp_path / "images/a.nii.gz", values)
    noisy = labels.astype(np.float32) * np.float32(1.000015)
    noisy[0] = np.nan
    write_nifti(tmp_path / "labels/a.nii.gz", noisy)
    data = open_dataset(tmp_path, val_fraction=0)
    assert data.notes[0] == "Mask value NaN is no class: ignored (not labelled)."
    counts = data.split("all").count()
    assert counts.pixels.tolist() == np.bincount(labels[1:].ravel()).tolist()
    assert counts.ignored_share == pytest.approx(1 / 12)
