"""Generate the reference: from the program, the registries, the docstrings and the application."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from handbook.api import API, api_page
from handbook.commands import commands_page
from handbook.routes import routes_page
from handbook.tables import (
    architectures_page,
    data_page,
    exit_codes_page,
    losses_page,
    metrics_page,
    models_page,
    tools_page,
)

PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands_page,
    "exit-codes.md": exit_codes_page,
    "http.md": routes_page,
    "architectures.md": architectures_page,
    "losses.md": losses_page,
    "metrics.md": metrics_page,
    "tools.md": tools_page,
    "data.md": data_page,
    "models.md": models_page,
}


def generate(folder: Path) -> list[Path]:
    """Write all generated pages.

    Args:
        folder: `reference/` of the staged pages.

    Returns:
        The pages that were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {name: page() for name, page in PAGES.items()} | {name: api_page(*said) for name, said in API.items()}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]
