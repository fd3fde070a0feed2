"""How much memory there is, how much this process holds, and how the C library treats what is freed."""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4
_UNTOLD = 4e9
_SYSTEM = Path("/")
_RESETS_PEAK = "5"  # written to clear_refs; see proc(5)


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
    found = room()
    return _UNTOLD if found is None else float(found)


def room(system: Path = _SYSTEM) -> int | None:
    """Tell how many more bytes this process can take before the system swaps, refuses or ends it.

    The least of what is free (Linux, Windows) or there at all (macOS), of what the control groups of a container or a
    job scheduler leave (versions 1 and 2), and of the limit of the address space (``ulimit -v``).

    Args:
        system: the folder below which ``proc`` and ``sys`` lie.

    Returns:
        Bytes; None where nothing of it is known.
    """
    limits = [*_free(system), *_left_by_groups(system), *_left_of_addresses(system)]
    return max(0, min(limits)) if limits else None


def said_bytes(value: float) -> str:
    """A number of bytes for people: "420 MB", "1.3 GB"."""
    return f"{value / 1e9:.1f} GB" if value >= 1e9 else f"{max(1, round(value / 1e6))} MB"


def resident() -> int | None:
    """Tell the bytes of memory that this process holds now; None where the system does not tell."""
    if sys.platform == "win32":
        return _windows_counters()[1]
    return _status(_SYSTEM, "VmRSS") or most_resident()


def held_alone(process: int) -> int:
    """Tell the bytes that a process holds and shares with no other; 0 where the system does not tell."""
    told = _read(_SYSTEM / f"proc/{process}/smaps_rollup")
    return 1024 * sum(int(found) for found in re.findall(r"^Private_\w+:\s+(\d+) kB", told, re.MULTILINE))


def most_resident() -> int | None:
    """Tell the most bytes that this process held, since it began or since `forget_most`; None if unknown."""
    if sys.platform == "win32":
        return _windows_counters()[0]
    found = _status(_SYSTEM, "VmHWM")
    if found is not None:
        return found
    try:
        resource: Any = importlib.import_module("resource")
    except ImportError:
        return None
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


def forget_most() -> None:
    """Let `most_resident` begin anew, where the system can."""
    try:
        (_SYSTEM / "proc/self/clear_refs").write_text(_RESETS_PEAK)
    except OSError:
        return


def _free(system: Path) -> Iterator[int]:
    """What the machine has left, or all that it has."""
    told = _read(system / "proc/meminfo")
    found = re.search(r"^MemAvailable:\s+(\d+) kB", told, re.MULTILINE)
    if found is not None:
        yield int(found[1]) * 1024
    elif sys.platform == "win32":
        yield _windows_free()
    elif hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        yield int(os.sysconf("SC_PHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE"))


def _left_by_groups(system: Path) -> Iterator[int]:
    """What each control group around this process leaves: its limit without what is used and cannot be given back."""
    for line in _read(system / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        base = system / "sys/fs/cgroup" / controllers
        names = ("memory.max", "memory.current") if not controllers else (
            "memory.limit_in_bytes", "memory.usage_in_bytes",
        )  # fmt: skip
        own = base / path.lstrip("/")
        # Inside a container the group's own path may not be there, but what is mounted is its group.
        for folder in (own, *own.parents):
            if folder != base and base not in folder.parents:
                break
            limit, used = (_read(folder / name).strip() for name in names)
            if limit.isdecimal() and used.isdecimal():
                idle = re.search(r"^(?:total_)?inactive_file (\d+)", _read(folder / "memory.stat"), re.MULTILINE)
                yield int(limit) - int(used) + (int(idle[1]) if idle else 0)


def _left_of_addresses(system: Path) -> Iterator[int]:
    """What the limit of the address space leaves."""
    try:
        resource: Any = importlib.import_module("resource")
    except ImportError:
        return
    limit, used = resource.getrlimit(resource.RLIMIT_AS)[0], _status(system, "VmSize")
    if limit != resource.RLIM_INFINITY and used is not None:
        yield int(limit) - used


def _status(system: Path, name: str) -> int | None:
    found = re.search(rf"^{name}:\s+(\d+) kB", _read(system / "proc/self/status"), re.MULTILINE)
    return None if found is None else int(found[1]) * 1024


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""


def _windows_free() -> int:
    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong), ("load", ctypes.c_ulong), ("total", ctypes.c_ulonglong),
            ("free", ctypes.c_ulonglong), ("rest", ctypes.c_ulonglong * 5),
        )  # fmt: skip

    status = Status(length=ctypes.sizeof(Status))
    libraries: Any = ctypes
    libraries.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.free)


def _windows_counters() -> tuple[int, int]:
    """The most bytes of memory that this process held, and those that it holds."""

    class Counters(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong), ("faults", ctypes.c_ulong), ("most", ctypes.c_size_t), ("now", ctypes.c_size_t),
            ("rest", ctypes.c_size_t * 6),
        )  # fmt: skip

    counters = Counters(length=ctypes.sizeof(Counters))
    libraries: Any = ctypes
    kernel = libraries.windll.kernel32
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.K32GetProcessMemoryInfo(
        ctypes.c_void_p(kernel.GetCurrentProcess()), ctypes.byref(counters), ctypes.c_ulong(counters.length)
    )
    return int(counters.most), int(counters.now)
