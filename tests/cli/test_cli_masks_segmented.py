"""Masks given to `intarsia segment`: said, never refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intarsia.cli.main import main


def labels(height: int = 96, width: int = 128) -> np.ndarray:
    return (np.arange(height * width).reshape(height, width) // 999 % 5).astype(np.uint8)


def save_mask(path: Path, kind: str) -> Path:
    """A mask as its tools write it."""
    values = labels()
    if kind == "indices":
        Image.fromarray(values).save(path)
    elif kind == "palette":
        image = Image.fromarray(values)
        image.putpalette(np.random.default_rng(0).integers(0, 256, (256, 3), dtype=np.uint8).ravel().tolist())
        image.save(path)
    elif kind == "binary":
        Image.fromarray((values > 2).astype(np.uint8) * 255).save(path)
    elif kind == "bits":
        Image.fromarray(values > 2).save(path)
    else:
        Image.fromarray(
            np.array([[0, 0, 0], [128, 64, 128], [70, 70, 70], [220, 20, 60], [0, 0, 142]], np.uint8)[values]
        ).save(path)
    return path


@pytest.mark.parametrize(
    ("kind", "count"), [("indices", 5), ("palette", 5), ("binary", 2), ("bits", 2), ("colours", 5)]
)
def test_a_mask_is_segmented_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, count: int
) -> None:
    source = save_mask(tmp_path / "mask.png", kind)
    out = tmp_path / "out"
    assert main(["segment", str(source), "-m", "street", "-o", str(out)]) == 0
    said = capsys.readouterr()
    assert f"note: it has {count} colours alone, as masks, drawings and scans have" in said.out
    assert said.out.count("Masks are what intarsia metrics") == 1 and "look" not in said.err  # told once
    record = json.loads((out / "manifest.jsonl").read_text().splitlines()[-1])
    assert record["status"] == "done" and record["details"]["colours"] == count
    assert any("as masks, drawings and scans have" in note for note in record["notes"])


def test_photos_and_json_stay_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    for kind in ("indices", "binary"):
        save_mask(tmp_path / f"{kind}.png", kind)
    pictures = [str(tmp_path / f"{name}.png") for name in ("binary", "indices", "photo")]
    assert main(["segment", *pictures, "-m", "street", "-o", str(tmp_path / "out"), "--json"]) == 0
    said = capsys.readouterr()
    few = [record["source"] for record in json.loads(said.out)["records"] if "colours" in record["details"]]
    assert few == pictures[:2] and "and 1 more look like masks" in said.err
