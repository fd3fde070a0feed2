"""A pixel classifier as ilastik's: multi-scale features of each pixel, a random forest of scikit-learn.

Colour, Gaussian smoothing, edges and textures at scikit-image's default scales (1 to 16 pixels), 100 trees, at most
200,000 labelled pixels drawn alike from all pictures; it is done when it is fitted, whatever time is left.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from contract import Pixels, Task, asked, read_labels, read_rgb
from numpy.typing import NDArray
from skimage.feature import multiscale_basic_features
from sklearn.ensemble import RandomForestClassifier

PIXELS, IGNORE = 200_000, 255


features = partial(
    multiscale_basic_features, intensity=True, edges=True, texture=True, sigma_min=1, sigma_max=16,
    channel_axis=-1, num_workers=1,
)  # fmt: skip


def samples(task: Task) -> tuple[NDArray[Any], NDArray[Any]]:
    """Features and labels of pixels drawn from as many pictures as a third of the time has room for."""
    random = np.random.default_rng(0)
    pairs = task.pairs("train")
    each = max(1, PIXELS // len(pairs))
    found, labels = [], []
    for index in random.permutation(len(pairs)):
        if task.share() > 1 / 3 and found:
            break
        image, mask = pairs[index]
        target = read_labels(mask).ravel()
        known = np.flatnonzero(target != IGNORE)
        drawn = random.choice(known, min(each, len(known)), replace=False)
        made = features(read_rgb(image))
        found.append(made.reshape(-1, made.shape[-1])[drawn].astype(np.float32))
        labels.append(target[drawn])
    task.facts["steps"] = len(found)
    return np.concatenate(found), np.concatenate(labels)


def main() -> None:
    task = asked()
    found, labels = samples(task)
    forest = RandomForestClassifier(n_estimators=100, max_depth=20, max_samples=0.2, random_state=0, n_jobs=1)
    forest.fit(found, labels)
    task.label(lambda image: predict(forest, image))


def predict(forest: Any, image: Pixels) -> Any:
    found = features(image)
    return forest.predict(found.reshape(-1, found.shape[-1])).reshape(image.shape[:2])


if __name__ == "__main__":
    main()
