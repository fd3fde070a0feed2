"""Compiled networks that are kept, and when they do not count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ir_made import write_ir

from intarsia.runtimes.kept import compiled
from intarsia.runtimes.openvino import core

SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}


class Counting:
    """OpenVINO, and how often it compiled."""

    def __init__(self) -> None:
        self.times = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(core(), name)

    def compile_model(self, *given: Any) -> Any:
        self.times += 1
        return core().compile_model(*given)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    file = write_ir(tmp_path / "net.xml")
    return [file, file.with_suffix(".bin")]


def _logits(network: Any) -> Any:
    return np.array(network(np.ones((1, 3, 8, 4), np.float32))[0])


def test_a_kept_network_gives_the_same_numbers(files: list[Path], tmp_path: Path) -> None:
    counting, kept = Counting(), tmp_path / "kept"
    made = [_logits(compiled(counting, files, SETTINGS, kept)) for _ in range(3)]
    assert counting.times == 1 and len(list(kept.iterdir())) == 1
    assert np.array_equal(made[0], made[1]) and np.array_equal(made[0], made[2])


def test_other_files_and_settings_are_compiled_anew(files: list[Path], tmp_path: Path) -> None:
    counting, kept = Counting(), tmp_path / "kept"
    compiled(counting, files, SETTINGS, kept)
    compiled(counting, files, SETTINGS | {"INFERENCE_NUM_THREADS": 1}, kept)
    files[0].write_text(files[0].read_text() + "\n")
    compiled(counting, files, SETTINGS, kept)
    assert counting.times == 3


@pytest.mark.parametrize("part", [slice(0, 0), slice(0, 20), slice(0, -1), slice(1, None)])
def test_what_is_damaged_does_not_count(files: list[Path], tmp_path: Path, part: slice) -> None:
    counting, kept = Counting(), tmp_path / "kept"
    first = _logits(compiled(counting, files, SETTINGS, kept))
    (place,) = kept.iterdir()
    place.write_bytes(place.read_bytes()[part])
    for _ in range(2):  # it is kept anew
        assert np.array_equal(_logits(compiled(counting, files, SETTINGS, kept)), first)
    assert counting.times == 2


def test_only_the_newest_are_kept_and_nothing_need_be(files: list[Path], tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    for threads in range(1, 12):
        compiled(core(), files, SETTINGS | {"INFERENCE_NUM_THREADS": threads}, kept)
    assert len(list(kept.iterdir())) == 8
    (tmp_path / "file").write_text("no folder")
    assert _logits(compiled(core(), files, SETTINGS, tmp_path / "file" / "kept")).shape == (1, 2, 2, 1)
