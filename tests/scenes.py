"""Random scenes with instances, for the tests of segments."""

from __future__ import annotations

import numpy as np

CLASSES, THINGS = 5, (2, 3, 4)


def scene(seed: int, size: int = 48) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Classes and instances of a prediction, then of a target with unknown parts: boxes on two kinds of stuff."""
    random = np.random.default_rng(seed)
    target = np.zeros((size, size), np.int64)
    target[:, size // 2 :] = 1
    instances = np.zeros_like(target)
    prediction, predicted_instances = target.copy(), instances.copy()
    for number in range(1, 9):
        label = int(random.choice(THINGS))
        top, left = random.integers(0, size - 12, 2)
        height, width = random.integers(4, 12, 2)
        box = np.s_[top : top + height, left : left + width]
        target[box], instances[box] = label, number
        if random.random() < 0.85:
            down, right = random.integers(-2, 3, 2)
            shifted = np.s_[max(0, top + down) : top + down + height, max(0, left + right) : left + right + width]
            prediction[shifted] = label if random.random() < 0.9 else int(random.choice(THINGS))
            predicted_instances[shifted] = 20 + number
    top, left = random.integers(0, size - 16, 2)
    target[top : top + 16, left : left + 12] = 255
    instances[target == 255] = 0
    predicted_instances[prediction < 2] = 0
    return prediction, predicted_instances, target, instances


def crowded(seed: int, size: int = 48) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A scene of which every third true instance has lost its number: a crowd of its class."""
    prediction, predicted_instances, target, instances = scene(seed, size)
    return prediction, predicted_instances, target, np.where(instances % 3 == seed % 3, 0, instances)
