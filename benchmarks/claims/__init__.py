"""Claims of the field's papers, each tested here by one module, with what came out of it.

`python -m benchmarks.claims [NAME ...]` runs what has no result yet; docs/claims.md is made of the results. A module of
`pictures/`, `video/`, `clouds/` or `metrics/` that has a `CLAIM` is a claim; adding one takes nothing else.
"""
