"""Predicting, from the command line too, by an exported network: the same with PyTorch installed and without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import Cli
from onnx_made import SPACE, write_onnx
from PIL import Image

import intarsia
from intarsia.errors import UsageError
from intarsia.inference import Predictor, VideoPredictor


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return write_onnx(tmp_path / "net.onnx")


def half_bright(height: int = 40, width: int = 64) -> np.ndarray:
    image = np.full((height, width, 3), 30, np.uint8)
    image[:, width // 2 :] = 220
    return image


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for name in ("a.png", "b.png", "more/c.png"):
        Image.fromarray(half_bright()).save(folder / name)
    return folder


def test_a_new_process_that_segments_loads_no_torch(net: Path, photos: Path, tmp_path: Path) -> None:
    code = (
        "import json, sys\n"
        "from intarsia.cli.main import main\n"
        "assert main(['segment', *sys.argv[1:]]) == 0\n"
        "print('\\n' + json.dumps(sorted(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(photos / "a.png"), "-m", str(net), "-o", str(tmp_path / "out")]
    caches = tmp_path / "caches"
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60,
        env=os.environ | {"XDG_CACHE_HOME": str(caches), "HOME": str(caches)},
    )  # fmt: skip
    assert {path.name for path in caches.glob("*")} <= {
        "intarsia"
    }  # nobody keeps notes of what was done, or sends them
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert "onnxruntime" in loaded and loaded & {"torch", "torchvision", "timm", "scipy"} == set()
    mask = np.array(Image.open(tmp_path / "out/a.mask.png"))
    assert np.array_equal(mask, half_bright()[..., 0] > 127)


def test_folders_become_masks_and_are_continued(cli: Cli, net: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert cli("segment", photos, "-m", net, "-o", out) == 0
    lines = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [line["status"] for line in lines] == ["done"] * 3
    assert {line["runtime"]["name"] for line in lines} <= {"onnx", "openvino"}  # the faster here
    assert np.array_equal(np.array(Image.open(out / "more/c.mask.png")), half_bright()[..., 0] > 127)
    again = cli.json("segment", photos, "-m", net, "-o", out, "--resume")
    assert len(again["skipped"]) == 3 and again["records"] == []


def test_an_exported_network_does_what_others_do(net: Path) -> None:
    expected = half_bright()[..., 0] > 127
    for options in ({"tta": True}, {"tile": 256}, {"confidence": True}, {"precision": "fp32"}, {"runtime": "onnx"}):
        found = intarsia.load(net, **options).segment(half_bright())
        assert np.array_equal(found.labels, expected), options
    large = intarsia.load(net, tile=256, long_side=0).segment(half_bright(1300, 1301))
    assert np.array_equal(large.labels[:, :640], np.zeros((1300, 640))) and large.labels[:, 660:].all()
    frames = VideoPredictor(intarsia.load(net)).stream([half_bright(), half_bright()])  # type: ignore[arg-type]
    assert [bool(one.segmentation.labels[0, -1]) for one in frames] == [True, True]


def test_what_an_exported_network_cannot_do_is_said(cli: Cli, net: Path, photos: Path) -> None:
    predictor = intarsia.load(net, runtime="onnx")
    assert isinstance(predictor, Predictor) and predictor.space == SPACE
    with pytest.raises(UsageError, match=r"a schedule \(every\) splits the network, which the runtime onnx cannot do"):
        VideoPredictor(predictor, every=3)
    with pytest.raises(UsageError, match=r"the runtime onnx computes on the CPU, not on 'cuda'"):
        intarsia.load(net, runtime="onnx", device="cuda")
    with pytest.raises(UsageError, match="exported in fp32; use auto, or export it again with --precision int8"):
        intarsia.load(net, runtime="onnx", precision="int8")
    with pytest.raises(UsageError, match=r"no precision is named 'fp23'\. Did you mean 'fp32'"):
        intarsia.load(net, precision="fp23")  # type: ignore[arg-type]
    assert cli("segment", photos / "a.png", "-m", net, "--runtime", "onx") == 2
    assert "no runtime is named 'onx'. Did you mean 'onnx'" in cli.err.replace("\n", " ")
