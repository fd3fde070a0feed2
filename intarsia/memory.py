"""How much memory there is, and how the C library treats what is freed."""

from __future__ import annotations

import ctypes
import platform
import sys
from pathlib import Path

_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_freed_memory() -> None:
    """Ask glibc to keep the memory of freed tensors for the next ones.

    By default glibc maps every large tensor anew and returns it to the system when it is freed, so each pass through
    a network pays for page faults on the same memory again. Calling this twice does no harm. It does nothing on
    systems without glibc.
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def available_memory() -> float:
    """Bytes of memory that can be used without swapping; 4 GB where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    except OSError:
        pass
    return 4e9
