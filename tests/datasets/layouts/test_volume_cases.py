"""Volumes that lie in a folder for each case, lists that divide them, and labels without the unit of their volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from intarsia.datasets import open_dataset

nibabel = pytest.importorskip("nibabel", reason="volumes need intarsia[volumes]")

AFFINE = np.diag([1.5, 2, 3, 1.0])


def save(values: NDArray, path: Path, affine: NDArray = AFFINE, unit: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(values, affine)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, path)


def volume(case: int) -> NDArray:
    return np.random.default_rng(case).normal(size=(8, 9, 4)).astype(np.float32)


def labels(case: int) -> NDArray:
    found = np.zeros((8, 9, 4), np.uint8)
    found[: case + 1, :3, 1:3] = 1
    return found


def foreground(root: Path) -> dict[str, list[int]]:
    """Pixels of the foreground of each case, by split."""
    found: dict[str, dict[str, int]] = {}
    for name, split in open_dataset(root, val_fraction=0).splits.items():
        for index, item in enumerate(split.items):
            sums = found.setdefault(name, {})
            case = item.id.rpartition("/")[0]
            sums[case] = sums.get(case, 0) + int((split.read(index)[1] == 1).sum())
    return {name: sorted(sums.values()) for name, sums in found.items()}


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("case_{}/image.nii.gz", "case_{}/label.nii.gz"),
        ("case_{}/imaging.nii.gz", "case_{}/segmentation.nii.gz"),  # KiTS
        ("{}/ct.nii", "{}/seg.nii"),
        ("all/case_{}.nii.gz", "all/case_{}_seg.nii.gz"),
    ],
)
def test_a_folder_for_each_case(tmp_path: Path, image: str, mask: str) -> None:
    for case in range(3):
        save(volume(case), tmp_path / image.format(case))
        save(labels(case), tmp_path / mask.format(case))
    assert foreground(tmp_path) == {"all": [6, 12, 18]}


@pytest.mark.parametrize("suffix", ["", ".nii.gz"])
def test_lists_divide_volumes(tmp_path: Path, suffix: str) -> None:
    for case in range(3):
        save(volume(case), tmp_path / f"images/c{case}.nii.gz")
        save(labels(case), tmp_path / f"labels/c{case}.nii.gz")
    (tmp_path / "train.txt").write_text(f"c0{suffix}\nc2{suffix}\n")
    (tmp_path / "val.txt").write_text(f"c1{suffix}\n")
    assert foreground(tmp_path) == {"train": [6, 18], "val": [12]}
    assert "Splits are those of train.txt, val.txt." in open_dataset(tmp_path).notes


@pytest.mark.parametrize("scale", [1, 1000])
def test_labels_may_leave_their_unit_out(tmp_path: Path, scale: int) -> None:
    metres = AFFINE.copy()
    metres[:3] /= 1000
    written = metres.copy()
    written[:3] *= scale  # the numbers of the volume's file, or those in millimetres
    for case in range(3):
        save(volume(case), tmp_path / f"images/c{case}.nii.gz", metres, "meter")
        save(labels(case), tmp_path / f"labels/c{case}.nii.gz", written)
    assert foreground(tmp_path) == {"all": [6, 12, 18]}
