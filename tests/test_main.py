"""The command's start: garbage is looked for once the code is loaded, as usual from then on."""

from __future__ import annotations

import gc

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
