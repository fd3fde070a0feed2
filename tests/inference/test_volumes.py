"""Volumes through a predictor: labels come back on the volume's own grid, and are measured in millimetres."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

nibabel = pytest.importorskip("nibabel", reason="volumes need intarsia[volumes]")

import numpy as np  # noqa: E402
import torch  # noqa: E402
from jobs_made import files, job  # noqa: E402
from torch import Tensor  # noqa: E402
from volumes_made import AFFINE, body, write_nifti, write_series  # noqa: E402

from intarsia.datasets import open_dataset  # noqa: E402
from intarsia.errors import DataError, UsageError  # noqa: E402
from intarsia.evaluation import Measures, evaluate  # noqa: E402
from intarsia.inference import Predictor, VideoPredictor  # noqa: E402
from intarsia.inference.volumes import segment_volume  # noqa: E402
from intarsia.jobs import plan  # noqa: E402
from intarsia.media.medium import expand  # noqa: E402
from intarsia.media.volumes import open_volume  # noqa: E402
from intarsia.models import ImageModel  # noqa: E402
from intarsia.preprocessing import Preprocessing  # noqa: E402
from intarsia.result import VolumeSegmentation  # noqa: E402

MakePredictor = Callable[..., Predictor]


class Levels(ImageModel):
    """Stride 1: the class whose level (0, 1/2, 1) is nearest to the middle channel, exactly."""

    def __init__(self, channels: int = 3, classes: int = 3) -> None:
        super().__init__()
        self.in_channels = channels
        self.levels = torch.nn.Parameter(torch.linspace(0, 1, classes))

    def logits(self, x: Tensor) -> Tensor:
        middle = x[:, x.shape[1] // 2, None]
        return -((middle - self.levels[None, :, None, None]) ** 2)


def preprocessing(channels: int = 3, **changes: Any) -> Preprocessing:
    values = {"mean": (0.0,) * channels, "std": (1.0,) * channels, "slices": channels, "window": (0.0, 2.0)}
    return Preprocessing(**(values | changes))


@pytest.fixture
def predictor(make_predictor: MakePredictor) -> Predictor:
    return make_predictor(Levels(), 3, preprocessing=preprocessing())


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SPL", "IRA", "AIL", "PSR"])
@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_the_truth_through_an_identity_model_is_the_same_grid(
    make_predictor: MakePredictor, tmp_path: Path, codes: str, axis: str
) -> None:
    _, labels = body()
    path = write_nifti(tmp_path / "labels.nii.gz", labels, codes=codes)
    found = make_predictor(Levels(5), 3, preprocessing=preprocessing(5, axis=axis)).segment(path)
    assert isinstance(found, VolumeSegmentation)
    original = nibabel.load(path)
    assert np.array_equal(found.labels, np.asarray(original.dataobj))
    found.save(tmp_path / "out.nii.gz")
    back = nibabel.load(tmp_path / "out.nii.gz")
    assert np.array_equal(np.asarray(back.dataobj), np.asarray(original.dataobj))
    assert np.array_equal(back.affine, original.affine)


def test_the_real_segmentation_through_an_identity_model(make_predictor: MakePredictor, real_data: Path) -> None:
    path = real_data / "ct_volumes" / "example_seg.nii.gz"
    if not path.is_file():
        pytest.skip("no ct_volumes/ in the real data")
    stored = np.asarray(nibabel.load(path).dataobj)
    # 118 values are 118 levels of a window of 8 bits, each of them exact.
    predictor = make_predictor(Levels(1, 3), 3, preprocessing=preprocessing(1, window=(0.0, 255.0), axis="coronal"))
    found = predictor.segment(path)
    assert found.labels.shape == stored.shape
    assert np.array_equal(found.labels, np.digitize(stored, [63.75, 191.25]).astype(np.uint8))


def test_what_a_result_tells(predictor: Predictor, tmp_path: Path) -> None:
    _, labels = body()
    found = segment_volume(predictor, open_volume(write_nifti(tmp_path / "a.nii.gz", labels, codes="LPS")))
    voxel = 1.5 * 1.25 * 4 / 1000
    assert found.millilitres() == pytest.approx(
        {name: (labels == index).sum() * voxel for index, name in enumerate(("dark", "bright", "third"))}
    )
    assert found["third"].sum() == (labels == 2).sum()
    assert list(found.areas()) == ["dark", "bright", "third"]
    with pytest.raises(UsageError, match="Did you mean 'bright'"):
        found["brigth"]
    picture = found.overlay()
    assert picture.size == (14, round(12 * 1.25 / 1.5))


def test_progress_and_the_neighbours_of_each_slice(make_predictor: MakePredictor, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    class Recording(Levels):
        def logits(self, x: Tensor) -> Tensor:
            inputs.append((x[0, :, 0, 0] * 255).round().int().tolist())
            return super().logits(x)

    inputs: list[list[int]] = []
    values = np.broadcast_to(np.arange(4, dtype=np.int16), (3, 2, 4))
    path = write_nifti(tmp_path / "ramp.nii", np.ascontiguousarray(values))
    predictor = make_predictor(Recording(), 3, preprocessing=preprocessing(window=(0.0, 255.0)))
    inputs.clear()
    segment_volume(predictor, open_volume(path), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert inputs == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]


def test_a_series_is_written_as_nifti(predictor: Predictor, tmp_path: Path) -> None:
    values = np.zeros((4, 5, 6), np.int16)
    values[1:3, 2:4, 1:5] = 2
    folder = write_series(tmp_path / "ct", values)
    (record,) = job(predictor, folder, tmp_path / "out.nii.gz").records
    assert record["size"] == [6, 5, 4] and record["outputs"] == {"labels": "out.nii.gz"}
    assert record["details"]["millilitres"]["third"] == pytest.approx(2 * 2 * 4 * 0.5 * 0.75 * 2 / 1000, abs=1e-3)
    found = nibabel.load(tmp_path / "out.nii.gz")
    assert np.array_equal(np.asarray(found.dataobj), values.transpose(2, 1, 0))
    with pytest.raises(UsageError, match="exists already"):
        job(predictor, folder, tmp_path / "out.nii.gz")


def test_folders_of_volumes(predictor: Predictor, tmp_path: Path) -> None:
    _, labels = body()
    write_nifti(tmp_path / "in" / "case.1.nii.gz", labels)
    write_nifti(tmp_path / "in" / "deep" / "b.nii", labels)
    result = job(predictor, tmp_path / "in", tmp_path / "out")
    assert files(tmp_path / "out") == [
        "case.1.mask.nii.gz", "case.1.overlay.jpg", "deep/b.mask.nii.gz", "deep/b.overlay.jpg", "manifest.jsonl",
    ]  # fmt: skip
    assert [record["status"] for record in result.records] == ["done", "done"]
    assert len(job(predictor, tmp_path / "in", tmp_path / "out").skipped) == 2
    lines = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["size"] == [14, 12, 9] and json.loads(lines[0])["medium"] == "volume"


def test_series_below_a_folder_are_found(tmp_path: Path) -> None:
    values = np.zeros((2, 3, 3), np.int16)
    for name in ("a.1", "b.2"):
        write_series(tmp_path / "scans" / name, values)
    assert [str(item.name) for item in expand(tmp_path / "scans").items] == ["a.1", "b.2"]
    assert expand(tmp_path / "scans" / "a.1").base is None
    named = [task.outputs["labels"] for task in plan(tmp_path / "scans", tmp_path / "out").tasks]
    assert named == ["a.1.mask.nii.gz", "b.2.mask.nii.gz"]


def test_the_wrong_medium(predictor: Predictor, make_predictor: MakePredictor, tmp_path: Path) -> None:
    _, labels = body()
    path = write_nifti(tmp_path / "a.nii", labels)
    with pytest.raises(DataError, match="this model is for volumes"):
        predictor.segment(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match="cannot segment video: this model is for volumes"):
        VideoPredictor(predictor)
    for_pictures = make_predictor(Levels(), 3)
    with pytest.raises(DataError, match="is for pictures"):
        for_pictures.segment(path)
    for out in ("o.png", "o.tif"):
        with pytest.raises(UsageError, match=r"those of volumes are written as \.nii\.gz or \.nii"):
            plan(path, tmp_path / out)
    with pytest.raises(UsageError, match="confidence is for pictures and rasters and point clouds, not for volumes"):
        make_predictor(Levels(), 3, preprocessing=preprocessing(), confidence=True).segment(path)
    assert [one.name for one in tmp_path.iterdir()] == ["a.nii"]


def make_set(folder: Path, cases: int = 3) -> Path:
    """Volumes that are their own labels, in three orientations, of different sizes and slice distances."""
    for index, codes in zip(range(cases), ("RAS", "LPS", "SAR"), strict=False):
        _, labels = body((12 + index, 12, 9), seed=index)
        affine = AFFINE @ np.diag([1, 1, 1 + index, 1])
        write_nifti(folder / "images" / f"case{index}.nii.gz", labels.astype(np.int16), affine, codes=codes)
        write_nifti(folder / "labels" / f"case{index}.nii.gz", labels, affine, codes="RAS")
    (folder / "classes.txt").write_text("dark\nbright\nthird\n")
    return folder


class Shifted(Levels):
    """Everything one pixel further down in each slice."""

    def logits(self, x: Tensor) -> Tensor:
        return super().logits(torch.roll(x, 1, 2))


def test_volumes_are_measured_whole_and_in_their_own_millimetres(make_predictor: MakePredictor, tmp_path: Path) -> None:
    split = open_dataset(make_set(tmp_path / "set"), val_fraction=0).split("all")
    right = evaluate(
        make_predictor(Levels(), 3, preprocessing=preprocessing()), split, measures=Measures(spacing="file")
    )
    assert right.medium == "volume"
    assert right.scores.miou == 1 and right.result("surface").mean_hd95 == 0
    assert [row.id for row in right.images] == ["case0", "case1", "case2"]
    assert right.dice_per_case == (1, 1, 1)
    moved = evaluate(
        make_predictor(Shifted(), 3, preprocessing=preprocessing()), split, measures=Measures(spacing="file")
    )
    # The organ moves by one row of an axial slice, which is 1.25 mm in every case.
    assert moved.result("surface").hausdorff[1:].tolist() == pytest.approx([1.25, 1.25])
    # The lesion is one row thick, so that nothing of it is hit; of the organ's 64 - 4 voxels 48 - 2 * 4 are.
    assert moved.dice_per_case[1:] == pytest.approx((2 * 40 / 120, 0))
    across = evaluate(
        make_predictor(Shifted(), 3, preprocessing=preprocessing(axis="coronal")),
        split,
        measures=Measures(spacing="file"),
    )
    # In coronal slices a row is a slice of the scanner: 4, 8 and 12 mm.
    assert across.result("surface").hausdorff[1] == pytest.approx((4 + 8 + 12) / 3)
    for measures, reason in ((Measures(boundary=True), "boundary scores are of pictures"),):
        with pytest.raises(UsageError, match=reason):
            evaluate(make_predictor(Levels(), 3, preprocessing=preprocessing()), split, measures=measures)
    with pytest.raises(UsageError, match=r"the model is for pictures; set input\.slices"):
        evaluate(make_predictor(Levels(), 3), split)


def test_rankseg_decides_volumes_as_a_whole_here_as_there(make_predictor: MakePredictor, tmp_path: Path) -> None:
    folder = make_set(tmp_path / "set", cases=1)
    ranked = make_predictor(Levels(), 3, preprocessing=preprocessing(), decide="rankseg")
    found = evaluate(ranked, open_dataset(folder, val_fraction=0).split("all"))
    labels = ranked.segment(folder / "images" / "case0.nii.gz").labels
    truth = np.asarray(nibabel.load(folder / "images" / "case0.nii.gz").dataobj).astype(int)
    counts = np.zeros((3, 3), dtype=int)
    np.add.at(counts, (truth.ravel(), labels.ravel().astype(int)), 1)
    assert found.matrix.counts[:, :3].tolist() == counts.tolist()
    plain = make_predictor(Levels(), 3, preprocessing=preprocessing())
    assert (plain.segment(folder / "images" / "case0.nii.gz").labels != labels).any()


def test_the_lits_protocol_is_in_the_millimetres_of_each_case(make_predictor: MakePredictor, tmp_path: Path) -> None:
    for index in range(2):
        _, labels = body((12, 12, 9), seed=index)
        write_nifti(tmp_path / f"volume-{index}.nii", labels.astype(np.int16))
        write_nifti(tmp_path / f"segmentation-{index}.nii", labels)
    split = open_dataset(tmp_path, val_fraction=0).split("all")
    predictor = make_predictor(Shifted(), 3, preprocessing=preprocessing())
    predictor.space = split.space
    found = evaluate(predictor, split, protocol="lits").protocol
    assert found is not None and not found.notes  # nothing is missing, such as the spacing
    # Liver and tumour together are a box of 4 x 4 x 4 voxels that moves by one row of 1.25 mm.
    assert found.values["liver Dice per case"] == pytest.approx(2 * 48 / 128)
    assert found.values["liver MSD"] == pytest.approx(1.25)
    assert found.values["tumour Dice global"] == 0
