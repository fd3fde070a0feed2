"""The server itself in a thread, and a page of it."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Any, Self

import uvicorn

from intarsia.serving.app import create_app
from intarsia.serving.running import address, listen
from intarsia.serving.settings import Settings

PATIENCE = 120_000  # milliseconds: a training begins with the import of PyTorch, and the machine may be busy


class Served:
    """A server and a page, whose errors are kept.

    Args:
        browser: of the tests.
        settings: of the server; port 0, so that tests can run side by side.
        options: of the browser's context.
    """

    def __init__(self, browser: Any, settings: Settings, **options: Any) -> None:
        self.settings = settings
        self.app = create_app(settings)
        socket = listen(settings)
        self.address = address(socket)
        self.server = uvicorn.Server(uvicorn.Config(self.app, log_config=None, ws="none"))
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([socket])))
        self.thread.start()
        self.context = browser.new_context(accept_downloads=True, **options)
        self.complaints: list[str] = []
        """Errors of the page's modules."""
        self.console: list[str] = []
        """Errors in its console: those of the network, too."""
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.console.append(said.text) if said.type == "error" else None)

    def panel(self, name: str) -> Any:
        """A panel at the right, opened."""
        panel = self.page.locator(f"#panel-{name}")
        if panel.get_attribute("open") is None:
            panel.locator("summary").click()
        return panel

    def get(self, path: str) -> Any:
        """What the server answers."""
        return self.context.request.get(f"{self.address}{path}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the page and the server."""
        self.context.close()
        self.server.should_exit = True
        self.thread.join()
