"""A server in this process, with a model that computes nothing but which pixels are bright."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs intarsia[serve]")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

from onnx_made import write_onnx

from intarsia.serving.app import create_app
from intarsia.serving.settings import Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    tmp_path = tmp_path_factory.mktemp("server")
    return Settings(models=(str(write_onnx(tmp_path / "bright.onnx", stride=1)),), state=tmp_path / "state")


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def photo() -> np.ndarray:
    """Dark left, bright right."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, 25:] = 255
    return pixels


@pytest.fixture
def jpeg(photo: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=95)
    return file.getvalue()
