"""Losses for tumours, of which there are no pictures."""

from __future__ import annotations

from benchmarks.claims.claim import Claim

CLAIM = Claim(
    title="Losses for tumours",
    source="Salehi et al. 2017, arXiv:1706.05721; Abraham and Khan 2019, arXiv:1810.07842",
    paper="Tversky losses, plain and focal, find more of small lesions than Dice.",
    cannot="none of the data sets labels tumours: in the livers that are here they count as liver. Livers, vessels "
    "and roads stand in for what is rare and thin.",
)
