"""How long a model takes here, stage by stage, on every runtime."""

from intarsia.benchmarking.stages import Benchmark, Timing, benchmark

__all__ = ["Benchmark", "Timing", "benchmark"]
