"""The dense CRF in loops that Numba compiles: one core, and as fast as it gets."""
