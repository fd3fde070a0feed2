"""A browser and a page at a stub server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from studio.pages import Studio
from studio.stub import Stub


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running


@pytest.fixture
def studio(browser: Any, stub: Stub) -> Iterator[Studio]:
    opened = Studio(browser, stub)
    yield opened
    opened.context.close()
    assert opened.complaints == []
