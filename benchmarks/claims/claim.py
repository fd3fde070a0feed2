"""What a claim is: arms that are measured for several seeds, and comparisons of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

MEDIA = ("metrics", "pictures", "video", "clouds")


@dataclass(frozen=True)
class Comparison:
    """One sentence that two arms of the same seeds decide.

    Args:
        says: the claim, as a sentence.
        arm: the arm that the claim is about.
        against: the arm it is compared with; "" takes the measure of `arm` itself.
        measure: which of the measured numbers.
        more_than: the difference has to exceed this; below 0 it is a loss that the claim allows.
        worth: a difference that is smaller than this beyond `more_than` is none; it decides "does not hold".
        lower_is_better: differences are counted the other way round.
    """

    says: str
    arm: str
    against: str = ""
    measure: str = "miou"
    more_than: float = 0.0
    worth: float = 0.005
    lower_is_better: bool = False

    def difference(self, measured: Mapping[str, Mapping[str, float]]) -> float:
        """How much better `arm` is than `against`, of one seed's measures by arm."""
        other = measured[self.against][self.measure] if self.against else 0.0
        gain = measured[self.arm][self.measure] - other
        return -gain if self.lower_is_better else gain


@dataclass(frozen=True)
class Claim:
    """One claim and how it is tested here.

    Args:
        title: a few words.
        source: papers, with their arXiv numbers.
        paper: what they claim, with their numbers.
        tested: data, networks and budget, in sentences.
        arms: name -> what it is.
        comparisons: the sentences that are decided.
        measure: from an arm and a seed to its measures by name; runs of one seed are paired: they see the same batches.
        minutes: one core's time for all arms and seeds.
        budget: what the numbers depend on besides the code; results of another budget are not taken.
        seeds: which are run, at least three.
        why: what was found where a claim fails, or what limits the test.
        cannot: why it cannot be tested here; then there is nothing to run or to compare.
    """

    title: str
    source: str
    paper: str
    tested: str = ""
    arms: Mapping[str, str] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    measure: Callable[[str, int], dict[str, float]] | None = None
    minutes: float = 0.0
    budget: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1, 2)
    why: str = ""
    cannot: str = ""

    def __post_init__(self) -> None:
        if len(self.seeds) < 3 and not self.cannot:
            raise ValueError(f"{self.title}: a difference needs at least three seeds, not {len(self.seeds)}")
        for one in self.comparisons:
            if not {one.arm, one.against or one.arm} <= self.arms.keys():
                raise ValueError(f"{self.title}: {one.says!r} compares arms that there are not")


def claims() -> dict[str, Claim]:
    """All claims by name, medium after medium, each in the order of its modules' names."""
    found = {}
    for medium in MEDIA:
        package = importlib.import_module(f"{__package__}.{medium}")
        for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda one: one.name):
            claim = getattr(importlib.import_module(f"{package.__name__}.{module.name}"), "CLAIM", None)
            if claim is not None:
                found[f"{medium}/{module.name}"] = claim
    return found
