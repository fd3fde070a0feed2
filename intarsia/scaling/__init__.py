"""Jobs by many workers: processes of this machine, or of a Ray cluster; the same outputs, names and lines as by one."""

from intarsia.scaling.engines import Engine, Local, OnRay, read_engine
from intarsia.scaling.running import run_on

__all__ = ["Engine", "Local", "OnRay", "read_engine", "run_on"]
