"""`metrics` of label volumes: however they are stored, in millimetres, and only where they lie on one another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

nibabel = pytest.importorskip("nibabel", reason="volumes need intarsia[volumes]")

from intarsia.cli.main import main  # noqa: E402
from intarsia.errors import DataError, UsageError  # noqa: E402
from intarsia.evaluation import score_masks  # noqa: E402
from intarsia.evaluation.measures import Measures  # noqa: E402

AFFINE = np.diag([-1.0, -1.0, 2.0, 1.0])


def organs() -> np.ndarray:
    labels = np.zeros((12, 10, 6), np.uint8)
    labels[2:8, 2:8, 1:5] = 1
    labels[8:11, 3:6, 2:4] = 2
    return labels


def save(path: Path, labels: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(labels, affine), path)
    return path


def test_folders_are_paired_by_name_and_slices_do_not_matter(tmp_path: Path) -> None:
    truth, moved = organs(), np.roll(organs(), 1, axis=2)
    for name in ("a", "b", "c"):
        save(tmp_path / "gt" / f"{name}_seg.nii.gz", truth)
    save(tmp_path / "out" / "a.mask.nii.gz", truth)
    save(tmp_path / "out" / "b.mask.nii", moved)
    save(tmp_path / "out" / "b.probabilities.nii", np.stack([truth] * 2, -1).astype(np.float32))
    found = score_masks(tmp_path / "out", tmp_path / "gt")
    assert [row.id for row in found.evaluation.images] == ["b_seg", "a_seg"] and not found.failures
    assert [path.name for path in found.folders.missing] == ["c_seg.nii.gz"] and not found.folders.extra
    counts = np.zeros((3, 3), int)
    for predicted in (truth, moved):
        np.add.at(counts, (truth.ravel(), predicted.ravel()), 1)
    assert np.array_equal(found.evaluation.matrix.counts[:, :3], counts) and found.evaluation.medium == "volume"


def test_axes_may_be_stored_otherwise(tmp_path: Path) -> None:
    labels = organs()
    flipped = AFFINE.copy()
    flipped[:3, 0], flipped[0, 3] = -AFFINE[:3, 0], AFFINE[0, 0] * 11
    turned = AFFINE[:, [2, 0, 1, 3]]
    one = save(tmp_path / "a.nii.gz", labels)
    for number, (other, affine) in enumerate(((labels[::-1], flipped), (labels.transpose(2, 0, 1), turned))):
        scores = score_masks(save(tmp_path / f"p{number}.nii.gz", other, affine), one)
        assert scores.evaluation.scores.miou == 1
    with pytest.raises(DataError, match=r"does not lie where .*its voxels lie up to 11\.0 mm from those of the truth"):
        score_masks(save(tmp_path / "m.nii.gz", labels, AFFINE + np.outer([11, 0, 0, 0], [0, 0, 0, 1])), one)


def test_surfaces_are_measured_in_millimetres(tmp_path: Path) -> None:
    labels = organs()
    moved = save(tmp_path / "p.nii.gz", np.roll(labels, 1, axis=2))
    truth = save(tmp_path / "t.nii.gz", labels)
    scores = score_masks(moved, truth, measures=Measures(spacing="file"))
    assert scores.evaluation.result("surface").to_json()["hausdorff"][1:] == pytest.approx([2, 2])


def test_in_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = save(tmp_path / "a.nii.gz", organs()), save(tmp_path / "b.nii.gz", np.roll(organs(), 1, axis=0))
    assert main(["metrics", str(other), str(one), "--json", "-o", str(tmp_path / "report")]) == 0
    assert 0 < json.loads(capsys.readouterr().out)["scores"]["miou"] < 1
    assert (tmp_path / "report" / "evaluation.html").is_file()
    assert main(["metrics", str(one), str(tmp_path / "gone.nii.gz")]) == 3
    with pytest.raises(UsageError, match="boundar"):
        score_masks(other, one, measures=Measures(boundary=True))
