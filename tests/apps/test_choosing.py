"""Which model a job takes where none is named, and that it says so, whatever the medium."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.apps.choosing import choose_model
from intarsia.jobs import plan


@pytest.mark.parametrize(
    ("name", "model", "reason"),
    [
        ("clip.mp4", "street", "nobody looks at videos before"),
        ("scan.nii.gz", "street", "nobody looks at volumes before"),
        ("tile.las", "airborne-lidar", "the bundled one of point clouds"),
    ],
)
def test_what_is_not_looked_at_gets_the_usual_model_and_a_note(
    tmp_path: Path, name: str, model: str, reason: str
) -> None:
    (tmp_path / name).write_bytes(b"LASF")
    chosen, planned = choose_model(plan([tmp_path / name], tmp_path / "out"))
    assert chosen == model
    assert planned.notes[-1].startswith(f"model {model}: ") and reason in planned.notes[-1]
    assert planned.tasks[0].notes[-1] == planned.notes[-1]  # which its record begins with


def test_a_folder_says_why_too(tmp_path: Path) -> None:
    for index in range(2):
        (tmp_path / "in").mkdir(exist_ok=True)
        noise = np.random.default_rng(index).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / "in" / f"{index}.png")
    chosen, planned = choose_model(plan([tmp_path / "in"], tmp_path / "out"))
    assert chosen == "street" and "the choice for 2 of the 2 pictures" in planned.notes[-1]
    assert "neither people close by" in planned.notes[-1]
