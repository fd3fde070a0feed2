"""Scores of one structure, case by case."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.errors import DataError, UsageError
from intarsia.metrics import StructureCases


def box(*bounds: tuple[int, int]) -> np.ndarray:
    volume = np.zeros((6, 8, 8), np.uint8)
    volume[tuple(slice(*side) for side in bounds)] = 1
    return volume


TRUTH = box((1, 3), (1, 5), (1, 5))  # 32 voxels
SHIFTED = box((1, 3), (1, 5), (2, 6))  # 24 of them, and 8 others
SPACING = (2.5, 0.7, 0.7)


def test_by_hand() -> None:
    cases = StructureCases()
    cases.update(SHIFTED, TRUTH, spacing=SPACING, name="one")
    (one,) = cases.compute().cases
    assert (one.name, one.dice, one.voe, one.rvd) == ("one", 0.75, pytest.approx(1 - 24 / 40), 0.0)
    assert one.msd == pytest.approx(0.7)
    # All voxels of the two layers are surface; 8 of each map's 32 lie 0.7 from the other surface.
    assert one.assd == pytest.approx(2 * 8 * 0.7 / 64)


def test_means_and_pools() -> None:
    cases = StructureCases()
    cases.update(SHIFTED, TRUTH, spacing=SPACING)
    cases.update(TRUTH, TRUTH, spacing=SPACING)
    cases.update(np.zeros_like(TRUTH), TRUTH, spacing=SPACING)  # missed
    cases.update(TRUTH, np.zeros_like(TRUTH), spacing=SPACING)  # invented
    cases.update(np.zeros_like(TRUTH), np.zeros_like(TRUTH), spacing=SPACING)  # rightly empty: it has no score
    found = cases.compute()
    assert found.dice == pytest.approx((0.75 + 1 + 0 + 0) / 4)
    assert found.global_dice == pytest.approx(2 * (24 + 32) / (3 * 32 + 3 * 32))
    assert found.voe == pytest.approx((0.4 + 0 + 1 + 1) / 4)
    assert found.rvd == pytest.approx((0 + 0 - 1) / 3), "nothing to relate an invented structure to"
    assert found.misses == 2 and len(found.cases) == 5
    # As the challenge's script: distances are 0 where one of the maps is empty.
    assert found.assd == pytest.approx(0.175 / 4) and found.msd == pytest.approx(0.7 / 4)
    plain = found.to_json()
    assert plain["misses"] == 2 and plain["cases"][4]["dice"] is None and plain["cases"][0]["name"] == ""


def test_wrong_calls() -> None:
    with pytest.raises(DataError):
        StructureCases().update(TRUTH, TRUTH[:2], spacing=SPACING)
    with pytest.raises(UsageError):
        StructureCases().update(TRUTH, TRUTH, spacing=(1.0, 0.0, 1.0))
    with pytest.raises(UsageError):
        StructureCases().update(TRUTH, TRUTH, spacing=(1.0, 1.0))
