from __future__ import annotations

import ctypes

import pytest

from intarsia.memory import keep_freed_memory


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
