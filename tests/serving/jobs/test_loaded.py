"""The model that jobs keep loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx_made import write_onnx

import intarsia
from intarsia.errors import ModelError
from intarsia.serving.engine import Engine
from intarsia.serving.jobs import loaded
from intarsia.serving.jobs.loaded import IDLE, Loaded
from intarsia.serving.problems import Problem
from intarsia.serving.settings import Settings


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = Engine(Settings(state=tmp_path / "state"))
    engine.add("bright", write_onnx(tmp_path / "bright.onnx", stride=1))
    return engine


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files that were loaded."""
    found: list[str] = []

    def load(source: str, **options: Any) -> Any:
        found.append(Path(source).name)
        return original(source, **options)

    original = intarsia.load
    monkeypatch.setattr(loaded.intarsia, "load", load)
    return found


def test_the_same_model_is_loaded_once(engine: Engine, loads: list[str], tmp_path: Path) -> None:
    kept = Loaded(engine)
    first = kept.load("bright", tta=False)
    assert kept.load("bright", tta=False) is first and loads == ["bright.onnx"]
    other = kept.load("bright", tta=True)
    assert other is not first and len(loads) == 2
    write_onnx(tmp_path / "bright.onnx", stride=2)  # the file is another one by now
    assert kept.load("bright", tta=True) is not other and len(loads) == 3


def test_it_goes_when_nobody_asks_for_long(engine: Engine, loads: list[str]) -> None:
    now = [0.0]
    kept = Loaded(engine, clock=lambda: now[0])
    first = kept.load("bright")
    now[0] = IDLE
    kept.release()
    assert kept.load("bright") is first
    now[0] += IDLE + 1
    kept.release()
    assert kept.load("bright") is not first and len(loads) == 2


def test_errors_name_the_model_and_no_file(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="'bright'"):
        Loaded(engine).load("brigth")
    engine.description("bright")
    (tmp_path / "bright.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError) as raised:
        Loaded(engine).load("bright")
    assert str(tmp_path) not in str(raised.value) and "bright" in str(raised.value)
