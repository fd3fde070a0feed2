"""The command's start and end: garbage is looked for once the code is loaded; signals before and after the work."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys

import pytest

from intarsia.__main__ import _load_without_collecting


def test_the_collector_waits_for_what_is_loaded_and_works_as_usual_afterwards() -> None:
    usual, callbacks = gc.get_threshold(), list(gc.callbacks)
    try:
        _load_without_collecting()
        assert gc.get_threshold()[0] == 100_000
        gc.collect()
        assert gc.get_threshold() == usual and gc.callbacks == callbacks and gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*usual)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("when", "code"), [("early", None), ("late", 7)])
def test_a_signal_after_the_work_ends_in_a_sentence_or_not_at_all(when: str, code: int | None, number: int) -> None:
    program = f"""
import atexit, os, signal, sys, types
signal.signal(signal.SIGINT, signal.default_int_handler)
late = lambda: os.kill(os.getpid(), {int(number)})
if {when == "late"}:  # called after what is registered later
    atexit.register(late)
sys.modules["intarsia.cli.main"] = command = types.ModuleType("command")
command.main = lambda: 7
from intarsia.__main__ import main
code = main()
if {when == "early"}:
    atexit.register(late)
sys.exit(code)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert ended.returncode == (code or 128 + number)
    assert ("nothing was left half-written" in ended.stderr) == (code is None)
    assert "Traceback" not in ended.stderr
