"""Tests of this folder compute on a GPU, and leave themselves out where PyTorch sees none: pytest tests/gpu -m gpu."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'intarsia[train]'")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="PyTorch sees no GPU here"))


@pytest.fixture
def device() -> Iterator[str]:
    """The GPU, with the same arithmetic as the CPU: float32 that is not rounded to TF32."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield "cuda"
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
