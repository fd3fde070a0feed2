"""Instance-weighted IoU."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.errors import DataError, UsageError
from intarsia.metrics import InstanceIoU

# 0 is stuff; 1 and 2 are things. Two instances of class 1, with 4 and 2 elements, and one of class 2 with 3; the last
# element of class 1 is a group without single things, and what follows is not labelled.
TARGET = np.array([0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 255, 255])
INSTANCES = np.array([0, 0, 7, 7, 7, 7, 9, 9, 7, 7, 7, 0, 3, 0])
PREDICTION = np.array([1, 0, 1, 1, 1, 0, 1, 2, 2, 1, 2, 0, 1, 2])


def metric(**options: object) -> InstanceIoU:
    return InstanceIoU(3, sizes={1: 8.0, 2: 6.0}, groups={"things": (1, 2)}, **options)


def test_by_hand() -> None:
    found = metric()
    found.update(PREDICTION, TARGET, INSTANCES)
    # Class 1: hits 3 of 4 at weight 8/4 and 1 of 2 at 8/2, so 10 of 16; false positives: elements 0 and 9.
    # Class 2: hits 2 of 3 at 6/3, so 4 of 6; a false positive: element 7.
    assert found.compute().tolist() == pytest.approx([np.nan, 10 / 18, 4 / 7], nan_ok=True)
    # In the group element 7 is a hit (weight 4) and so is 9 (weight 2): 16 of 22; false positive: element 0.
    assert found.compute_groups() == {"things": pytest.approx((14 + 6) / (22 + 1))}


def test_sums_of_parts_are_those_of_the_whole() -> None:
    whole, first, second = metric(), metric(), metric()
    for one in (whole, first):
        one.update(PREDICTION[:6], TARGET[:6], INSTANCES[:6])
    for one in (whole, second):
        one.update(PREDICTION[6:], TARGET[6:], INSTANCES[6:])
    first.merge(second)
    assert first.compute().tolist() == pytest.approx(whole.compute().tolist(), nan_ok=True)
    with pytest.raises(UsageError, match="only instance IoUs of the same classes"):
        first.merge(InstanceIoU(3, sizes={1: 8.0}))


def test_without_any_instance() -> None:
    found = metric()
    found.update([0, 0], [0, 0], [0, 0])
    assert np.isnan(found.compute()).all() and np.isnan(found.compute_groups()["things"])


def test_wrong_calls() -> None:
    with pytest.raises(UsageError, match="sizes are positive numbers"):
        InstanceIoU(3, sizes={1: 0.0})
    with pytest.raises(UsageError, match="sizes are positive numbers"):
        InstanceIoU(3, sizes={3: 1.0})
    with pytest.raises(UsageError, match="every class of a group needs an average size"):
        InstanceIoU(3, sizes={1: 1.0}, groups={"a": (1, 2)})
    with pytest.raises(DataError, match="differ in shape"):
        metric().update([0, 0], [0, 0], [0])
    with pytest.raises(DataError):
        metric().update([0, 0], [0, 5], [0, 0])
