"""STFCN: a recurrent head over its parent."""

from __future__ import annotations

from benchmarks.claims.claim import Claim
from benchmarks.claims.video.over_time import ARMS, BUDGET, KINDS, TESTED, comparisons, measured
from intarsia.models.video import RecurrentHead


def measure(arm: str, seed: int) -> dict[str, float]:
    return measured(arm, seed, lambda channels: RecurrentHead(channels, hidden=32, cell="gru"))


CLAIM = Claim(
    title="STFCN: a recurrent head gains over its parent",
    source="Fayyaz et al. 2016, arXiv:1608.05971; Valipour et al. 2016, arXiv:1611.05435",
    paper="Recurrent FCNs gain 1.6 points over their own FCN on CamVid.",
    tested=TESTED + " The head is a convolutional GRU of 32 channels behind a gate that starts closed.",
    arms=ARMS,
    comparisons=comparisons("The head"),
    measure=measure,
    budget=BUDGET.facts(kinds={name: list(kind) for name, kind in KINDS.items()}, hidden=32),
    minutes=22,
)
