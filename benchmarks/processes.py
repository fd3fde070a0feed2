"""Processes of this machine as /proc shows them: found, asked, and killed."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

_PATIENCE = 10.0  # seconds in which a process that was killed must be gone


def killed(pid: int) -> bool:
    """Kill a process at once; whether it was alive, and is gone by it."""
    if not said_by(pid):
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            if not said_by(pid):  # gone, or not waited for yet
                return True
            time.sleep(0.001)
        raise SystemExit(f"process {pid} outlived SIGKILL")
    return False


def processes() -> list[int]:
    """All processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def said_by(pid: int) -> str:
    """The command line of a process that lives; "" of one that does not."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def parent(pid: int) -> int:
    """The process that started one; 0 of one that does not live."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
