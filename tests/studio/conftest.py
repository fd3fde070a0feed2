"""A browser and a page at a stub server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from studio.pages import Studio
from studio.programs import CHROMIUM, missing
from studio.stub import Stub


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, without a graphics card."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed")
    path = shutil.which("chromium") or missing("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        yield browser
        browser.close()


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
