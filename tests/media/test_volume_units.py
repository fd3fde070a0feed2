"""Units of length, and headers that say in two ways, or in few words, where a volume lies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from intarsia.labels import LabelSpace
from intarsia.media.volumes import open_volume

nibabel = pytest.importorskip("nibabel", reason="volumes need intarsia[volumes]")

VOXELS = np.arange(4 * 5 * 3, dtype=np.int16).reshape(4, 5, 3)
AFFINE = np.array([[1.5, 0, 0, -10], [0, 2, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1.0]])
SPACE = LabelSpace(("a", "b"))


@pytest.mark.parametrize(("unit", "length", "word"), [("meter", 1000, "metres"), ("micron", 0.001, "micrometres")])
def test_nifti_lengths_are_in_the_units_that_it_says(tmp_path: Path, unit: str, length: float, word: str) -> None:
    stored = AFFINE.copy()
    stored[:3] /= length
    image = nibabel.Nifti1Image(VOXELS, stored)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "a.nii")
    reader = open_volume(tmp_path / "a.nii")
    assert np.allclose(reader.grid.affine, AFFINE, rtol=1e-5)
    assert word in reader.notes[0]
    reader.write(tmp_path / "labels.nii", (VOXELS % 2).astype(np.uint8), SPACE)
    labels = nibabel.load(tmp_path / "labels.nii")
    assert np.allclose(labels.affine, stored, rtol=1e-5)  # where the volume lies, whoever looks
    assert labels.header.get_xyzt_units()[0] == unit
    assert np.allclose(open_volume(tmp_path / "labels.nii").grid.affine, AFFINE, rtol=1e-5)


@pytest.mark.parametrize("unit", ["mm", None])
def test_other_units_are_millimetres(tmp_path: Path, unit: str | None) -> None:
    image = nibabel.Nifti1Image(VOXELS, AFFINE)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "a.nii")
    assert np.allclose(open_volume(tmp_path / "a.nii").grid.affine, AFFINE)
    assert not open_volume(tmp_path / "a.nii").notes


def test_two_places_that_differ_are_told(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(VOXELS, AFFINE)
    image.set_sform(AFFINE, code=1)
    image.set_qform(AFFINE, code=1)
    nibabel.save(image, tmp_path / "same.nii")
    image.set_qform(np.diag([-1, 1, 1, 1]) @ AFFINE, code=1)
    nibabel.save(image, tmp_path / "mirrored.nii")
    assert not open_volume(tmp_path / "same.nii").notes
    reader = open_volume(tmp_path / "mirrored.nii")
    assert np.allclose(reader.grid.affine, AFFINE)
    assert "sform and qform), and they differ" in reader.notes[0]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("space: RAS|space directions: (1.5,0,0) (0,2,0) (0,0,3)|space origin: (-10,-20,5)", False),
        ('space: RAS|space directions: (.0015,0,0) (0,.002,0) (0,0,.003)|space origin: (-.01,-.02,.005)|'
         'space units: "m" "m" "m"', False),
        ('space: RAS|space directions: (1500,0,0) (0,2000,0) (0,0,3000)|space origin: (-10000,-20000,5000)|'
         'space units: "um" "um" "um"', False),
        ("space: scanner-xyz|space directions: (1.5,0,0) (0,2,0) (0,0,3)|space origin: (-10,-20,5)", True),
        ("space dimension: 3|space directions: (1.5,0,0) (0,2,0) (0,0,3)|space origin: (-10,-20,5)", True),
        ("spacings: 1.5 2 3|axis mins: -10 -20 5", True),
        ('spacings: .15 .2 .3|axismins: -1 -2 .5|units: "cm" "cm" "cm"', True),
    ],
)  # fmt: skip
def test_what_nrrd_says_of_its_place(tmp_path: Path, lines: str, told: bool) -> None:
    head = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 5 3\nencoding: raw\nendian: little\n"
    (tmp_path / "a.nrrd").write_bytes(
        (head + lines.replace("|", "\n") + "\n\n").encode() + VOXELS.astype("<i2").tobytes(order="F")
    )
    reader = open_volume(tmp_path / "a.nrrd")
    assert np.allclose(reader.grid.affine, AFFINE)
    assert bool(reader.notes) == told
