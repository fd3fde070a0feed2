"""The bundled network."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from intarsia.inference.clicks import ClickSession
from intarsia.inference.clicks.network import ClickNetwork
from intarsia.labels import LabelSpace
from intarsia.zoo import bundled_models

SPACE = LabelSpace(("ground", "thing"))


def test_it_is_small() -> None:
    assert bundled_models()["clicks"].stat().st_size <= 7_000_000


@pytest.mark.parametrize("size", [(300, 400), (1500, 2000)])
def test_a_ball_on_grass_is_found_from_few_clicks(size: tuple[int, int]) -> None:
    height, width = size
    random = np.random.default_rng(0)
    noise = cv2.GaussianBlur(random.normal(0, 60, (300, 400, 3)), (0, 0), 2)
    image = (np.array([70, 130, 60]) + noise).clip(0, 255).astype(np.uint8)
    truth = np.zeros((300, 400), np.uint8)
    cv2.circle(truth, (220, 140), 60, 1, -1)
    image[truth > 0] = (image[truth > 0] * 0.15 + np.array([190, 60, 50])).clip(0, 255).astype(np.uint8)
    image, truth = (
        cv2.resize(image, (width, height)),
        cv2.resize(truth, (width, height), interpolation=cv2.INTER_NEAREST),
    )
    session = ClickSession(image, np.zeros((height, width), np.uint8), SPACE, method=ClickNetwork(threads=1))
    session.click(220 * width / 400, 140 * height / 300, "thing")
    first = iou(session.labels, truth)
    session.click(20, 20, "ground")
    assert first > 0.8 and iou(session.labels, truth) >= first


def iou(labels: np.ndarray, truth: np.ndarray) -> float:
    return float(((labels == 1) & (truth == 1)).sum() / ((labels == 1) | (truth == 1)).sum())
