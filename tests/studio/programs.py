"""Programs that the studio's tests need; where one is missing the test is skipped, but fails where CI promised it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def missing(what: str) -> NoReturn:
    """Skip, or fail where CI is set."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def chromium() -> str:
    """Path of Debian's Chromium; its old shell, where installed, opens pages for half of the whole browser's work."""
    return shutil.which("chromium-headless-shell") or program("chromium")


def program(name: str) -> str:
    """Path of a program."""
    found = shutil.which(name)
    return found or missing(f"{name} is not installed")


def package(name: str) -> Path:
    """Folder of an npm package."""
    folder = HERE / "node_modules" / name
    if not folder.is_dir():
        missing(f"{name} is not installed: run `npm ci` in tests/studio")
    return folder
