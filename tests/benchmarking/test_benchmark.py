"""What `intarsia benchmark` measures, keeps and shows; the numbers are the machine's, what they are of is ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import Cli
from onnx_made import network, write_onnx
from PIL import Image

from intarsia.benchmarking import benchmark
from intarsia.benchmarking.machine import peak_gflops
from intarsia.benchmarking.stages import STAGES
from intarsia.bundle import Description
from intarsia.errors import ModelError, UsageError
from intarsia.runtimes.choice import Measured, cache_folder, recall, remember


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is kept where the user's own measurements are."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    image = np.full((40, 64, 3), 30, np.uint8)
    image[:, 32:] = 220
    Image.fromarray(image).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_stages_make_up_the_whole(tmp_path: Path, photo: Path) -> None:
    description = Description.load(write_onnx(tmp_path / "net.onnx", gflop_per_megapixel=2.0))
    done: list[tuple[int, int]] = []
    found = benchmark(description, [photo], rounds=3, progress=lambda *at: done.append(at))
    assert done == [(1, 3), (2, 3), (3, 3)]
    timing = next(one for one in found.timings if one.runtime == "onnx")
    assert tuple(timing.stages) == STAGES and min(timing.stages.values()) >= 0 < timing.stages["network"]
    assert timing.precision == "fp32" and timing.agreement == 1
    assert found.gflop == pytest.approx(2.0 * 40 * 64 / 1e6)
    assert found.floor == pytest.approx(found.gflop / found.peak_gflops * 1e3)
    assert found.to_json()["timings"][0]["stages"].keys() == set(STAGES)
    assert "torch" in found.refused  # the file's weights are of no architecture that torch could build


def test_what_was_measured_is_kept_for_the_model(tmp_path: Path, photo: Path, caches: Path) -> None:
    description = Description.load(write_onnx(tmp_path / "net.onnx"))
    assert recall(description) == []
    benchmark(description, [photo], runtimes=["onnx"], rounds=1)
    kept = recall(description)
    assert [(one.runtime, one.precision, one.agreement) for one in kept] == [("onnx", "fp32", 1.0)]
    assert list((caches / "intarsia/runtimes").glob("*.json"))
    other = Description.load(write_onnx(tmp_path / "other.onnx", network(np.ones((2, 3, 1, 1), np.float32))))
    assert recall(other) == []


def test_the_fastest_comes_first_and_damage_is_nothing(tmp_path: Path) -> None:
    description = Description.load(write_onnx(tmp_path / "net.onnx"))
    slow, fast = Measured("torch", "fp32", 90.0, 1.0), Measured("onnx", "fp32", 30.0, 1.0)
    remember(description, [slow, fast], tmp_path / "kept")
    assert recall(description, tmp_path / "kept") == [fast, slow]
    for file in (tmp_path / "kept").rglob("*.json"):
        file.write_text('[{"runtime": 3}]')
    assert recall(description, tmp_path / "kept") == []
    (tmp_path / "file").write_text("")
    remember(description, [fast], tmp_path / "file")  # no folder can be made there
    assert recall(description, tmp_path / "file") == []


def test_where_systems_keep_what_can_be_made_again(tmp_path: Path) -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/x"}, "linux") == Path("/x/intarsia")
    assert cache_folder({}, "linux") == Path.home() / ".cache/intarsia"
    assert cache_folder({}, "darwin") == Path.home() / "Library/Caches/intarsia"
    assert cache_folder({"LOCALAPPDATA": "/l"}, "win32") == Path("/l/intarsia/cache")


def test_what_cannot_be_measured_is_said(tmp_path: Path, photo: Path) -> None:
    description = Description.load(write_onnx(tmp_path / "net.onnx"))
    with pytest.raises(UsageError, match="no picture to measure with"):
        benchmark(description, [])
    with pytest.raises(UsageError, match=r"no runtime is named 'onyx'\. Did you mean 'onnx'"):
        benchmark(description, [photo], runtimes=["onyx"])
    broken = Description.load(write_onnx(tmp_path / "broken.onnx", network(operator="Nothing")))
    with pytest.raises(ModelError, match=r"no runtime can compute it here: .*ONNX Runtime cannot open it"):
        benchmark(broken, [photo])


def test_the_command_shows_a_table_and_json(cli: Cli, tmp_path: Path, photo: Path) -> None:
    net = write_onnx(tmp_path / "net.onnx", gflop_per_megapixel=2.0)
    assert cli("benchmark", photo, "-m", net, "--rounds", "1", "--runtime", "onnx") == 0
    assert "GFLOP/s (float32)" in cli.out and "onnx" in cli.out and "fp32" in cli.out
    found = cli.json("benchmark", "-m", net, "--rounds", "1", "--runtime", "onnx")
    assert found["gflop"] == pytest.approx(2.0 * 480 * 640 / 1e6) and found["refused"] == {}
    assert cli("benchmark", tmp_path / "none.jpg", "-m", net) == 3
    assert cli("benchmark", photo, "-m", net, "--runtime", "openvyno") == 2


def test_the_peak_is_a_number_of_this_machine() -> None:
    assert 0.1 < peak_gflops() < 1e6
