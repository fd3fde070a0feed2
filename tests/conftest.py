"""Shared fixtures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tiny import TINY, TinyRun


def pytest_configure(config: pytest.Config) -> None:
    """Several workers share the cores: one thread each, also in the processes they start."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"
        import torch

        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data sets: $INTARSIA_DATA, or ../shared/data beside the repository."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("INTARSIA_DATA", default))
    if not folder.is_dir():
        reason = f"no real data at {folder}; set INTARSIA_DATA to the folder that holds camvid/"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A run that `intarsia.train` made of a plain folder of twelve scenes. Do not change its files."""
    import intarsia
    from intarsia.datasets.synthetic import write_scenes

    folder = tmp_path_factory.mktemp("tiny")
    data = write_scenes(folder / "scenes", 12, (64, 80))
    return TinyRun(data, intarsia.train(data, folder / "run", changes=TINY, progress=False))
