from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from intarsia.memory import keep_freed_memory, room, said_bytes


class Library:
    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def mallopt(self, option: int, value: int) -> int:
        self.calls.append((option, value))
        return 1


@pytest.mark.parametrize(
    ("platform", "library", "calls"),
    [
        ("linux", "glibc", [(-4, 0), (-1, 2**31 - 1)]),  # M_MMAP_MAX, M_TRIM_THRESHOLD of malloc.h
        ("linux", "", []),  # musl
        ("darwin", "glibc", []),
        ("win32", "", []),
    ],
)
def test_only_glibc_is_asked(
    platform: str, library: str, calls: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Library()
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr("platform.libc_ver", lambda: (library, "2.39"))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: fake)
    keep_freed_memory()
    assert fake.calls == calls


STATUS = "VmSize:\t  400 kB\nVmRSS:\t 100 kB\n"


def machine(folder: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:  1000 kB\n", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 1000 * 1024),
        (  # version 2: of the group and those around it the one that leaves least; what can be given back counts not
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "5000\n",
                "sys/fs/cgroup/a/memory.max": "9000\n", "sys/fs/cgroup/a/memory.current": "7000\n",
                "sys/fs/cgroup/a/memory.stat": "anon 1\ninactive_file 500\n",
            },
            9000 - 7000 + 500,
        ),
        (  # version 1, as a container sees it: its own group is what is mounted
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/x\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "6000",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "1000",
                "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 100\n",
            },
            5100,
        ),
        (  # a group that is full
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "10", "sys/fs/cgroup/memory.current": "20"},
            0,
        ),
        ({"proc/self/cgroup": "0::/gone\n"}, 1000 * 1024),
    ],
)  # fmt: skip
def test_the_least_of_all_limits_counts(files: dict[str, str], expected: int, tmp_path: Path) -> None:
    assert room(machine(tmp_path, files)) == expected


def test_the_limit_of_the_address_space_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no limits of processes")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (500 * 1024, resource.RLIM_INFINITY))
    assert room(machine(tmp_path, {"proc/self/status": STATUS})) == 100 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such file")
def test_the_most_is_remembered_and_forgotten() -> None:
    # In a process of its own: one that has freed much takes new memory from that.
    done = subprocess.run([sys.executable, "-c", _MOST], capture_output=True, text=True, check=True)
    most, after = map(int, done.stdout.split())
    assert 45e6 < most < 120e6 and after < most - 20e6


_MOST = """
from intarsia.memory import forget_most, most_resident, resident
forget_most()
before, held = resident(), bytearray(b"x" * 50_000_000)
del held
most = most_resident() - before
forget_most()
print(most, most_resident() - before)
"""


@pytest.mark.parametrize(("value", "said"), [(1, "1 MB"), (420e6, "420 MB"), (1.34e9, "1.3 GB")])
def test_bytes_are_told_to_people(value: float, said: str) -> None:
    assert said_bytes(value) == said
