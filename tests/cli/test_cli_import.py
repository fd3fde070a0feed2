"""`intarsia import`: from a foreign file to a bundle that segments."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models.segmentation import lraspp_mobilenet_v3_large

from intarsia.bundle import Bundle
from intarsia.cli.main import main


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("checkpoint") / "street.v2.pth"
    model = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=3)
    torch.save({"model": model.state_dict(), "epoch": 7}, path)
    return path


def test_an_imported_model_segments(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["import", str(checkpoint), "--from", "torchvision", "--classes", "sky, road,tree"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("torchvision's lraspp_mobilenet_v3_large, imported from street.v2.pth (SHA-256 ")
    assert "3.2 million parameters" in said and "3 classes: sky, road, tree" in said
    assert "Next:  intarsia segment PHOTO -m street.v2.safetensors" in said
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)).save("photo.png")
    assert main(["segment", "photo.png", "-m", "street.v2.safetensors"]) == 0
    assert "lraspp, 3 classes" in capsys.readouterr().out
    assert Image.open("photo.mask.png").size == (56, 40)
    # a second import does not replace the first unasked
    assert main(["import", str(checkpoint), "--from", "torchvision"]) == 2
    assert "street.v2.safetensors exists; give another name (-o), or --overwrite" in capsys.readouterr().err
    assert main(["import", str(checkpoint), "--from", "torchvision", "--overwrite", "--long-side", "700"]) == 0
    bundle = Bundle.load("street.v2.safetensors")
    assert bundle.space.names == ("class 0", "class 1", "class 2")
    assert bundle.preprocessing.long_side == 700


def test_a_class_file_brings_order_and_colours(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "b.safetensors"
    arguments = ["import", str(checkpoint), "--from", "torchvision", "-o", str(out), "--overwrite", "--json"]
    names = tmp_path / "classes.txt"
    names.write_text("2: tree\n0: sky\n1: road\n")
    assert main([*arguments, "--classes", str(names)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["classes"] == ["sky", "road", "tree"]
    assert (found["architecture"], found["bundle"]) == ("lraspp", str(out))
    assert found["parameters"] == 3_221_538 - 18 * (128 + 1) - 18 * (40 + 1)  # published with 21 classes
    names.write_text("1 2 3 sky\n4 5 6 road\n7 8 9 tree\n")
    assert main([*arguments, "--classes", str(names)]) == 0
    assert Bundle.load(out).space.palette == ((1, 2, 3), (4, 5, 6), (7, 8, 9))


def test_what_cannot_be_imported_says_so(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "b.safetensors"
    assert main(["import", str(checkpoint), "--from", "smp", "-o", str(out)]) == 4
    assert "looks like torchvision's lraspp_mobilenet_v3_large (--from torchvision)" in capsys.readouterr().err
    assert main(["import", str(checkpoint), "--from", "torchvision", "-o", str(out), "--classes", "a,b"]) == 4
    assert "predicts 3 classes, but the names given are 2: a, b" in capsys.readouterr().err
    assert main(["import", str(checkpoint), "--from", "torchvision", "-o", str(out), "--classes", "no.txt"]) == 3
    assert main(["import", str(checkpoint), "--from", "torchvison", "-o", str(out)]) == 2
    assert main(["import", str(checkpoint), "--from", "torchvision", "-o", str(tmp_path / "b.pth")]) == 2
    assert "a bundle's name ends in .safetensors" in capsys.readouterr().err
    assert not out.exists()
