"""Where workers are, as people say it."""

from __future__ import annotations

import pytest

from intarsia.errors import UsageError
from intarsia.scaling import Engine, Local, OnRay, read_engine


@pytest.mark.parametrize(
    ("said", "engine"),
    [
        ("local:1", Local(1)),
        ("local:16", Local(16)),
        ("ray", OnRay()),
        ("ray:4", OnRay(workers=4)),
        ("ray://head:10001", OnRay("ray://head:10001")),
        ("ray://10.0.0.1:10001/200", OnRay("ray://10.0.0.1:10001", 200)),
    ],
)
def test_engines_are_read(said: str, engine: Engine) -> None:
    assert read_engine(said) == engine


@pytest.mark.parametrize("said", ["local", "local:0", "local:x", "ray:0", "ray://head", "dask", "ray://h:1/0", ""])
def test_what_is_no_engine_is_refused(said: str) -> None:
    with pytest.raises(UsageError, match=r"--on takes local:N .*, ray or ray:N .*, or ray://HOST:PORT"):
        read_engine(said)
