"""Run the blocks of a page in their order, in a folder that holds what the page says it needs.

* ``<!-- needs: photo.jpg, my-data -->`` somewhere in the page: files that `made.py` makes.
* ``<!-- file: recipe.yaml -->`` before a block: the block is a file.
* ``<!-- skip: reason -->`` before a block: it is parsed, not run.
* ``<!-- code: 3 -->`` before a block: the exit code of its last command.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docs.curl import curl, told
from docs.made import MADE
from docs.shell import Command, commands_of, parse
from handbook.markdown import Fence, Page

_PLAIN = {"ls", "cat", "cp", "mkdir", "head"}


class Reader:
    """Somebody who types what a page says.

    Args:
        folder: empty; the current folder.
        run: the `intarsia` command: from arguments to the exit code; its output in `said`.
        said: what the last command printed.
        serve: starts a server with the options of `intarsia serve`, and gives a client.
    """

    def __init__(
        self,
        folder: Path,
        run: Callable[..., int],
        said: Callable[[], str],
        serve: Callable[[dict[str, Any]], Any],
    ) -> None:
        self._folder, self._run, self._said, self._serve = folder, run, said, serve
        self._names: dict[str, Any] = {"__name__": "page"}
        self._client: Any = None

    def read(self, page: Page) -> None:
        """Run a page from its top to its end."""
        for name in filter(None, (one.strip() for one in (page.mark("needs") or "").split(","))):
            MADE[name](self._folder / name)
        for fence in page.fences:
            kind, value = fence.mark
            where = f"{page.path.name}:{fence.line}"
            if kind == "file":
                (self._folder / value).write_text(fence.text, encoding="utf-8")
            elif kind == "skip":
                continue
            elif fence.language == "python":
                exec(compile(fence.text, where, "exec"), self._names)
            elif fence.language == "sh":
                self._type(fence, where, wanted=int(value) if kind == "code" else 0)

    def _type(self, fence: Fence, where: str, wanted: int) -> None:
        typed = list(commands_of(fence.text))
        for command in typed:
            code = self._do(command, where)
            expected = wanted if command is typed[-1] else 0
            assert code == expected, f"{where}: {' '.join(command.words)} ended with {code}: {self._said()}"

    def _do(self, command: Command, where: str) -> int:
        program, *arguments = command.words
        if program == "pip":
            return 0
        if program == "intarsia" and arguments[0] == "serve":
            self._client = self._serve(parse(arguments))
            return 0
        if program == "intarsia":
            return self._run(*arguments)
        if program == "curl":
            answer = curl(self._client, tuple(arguments), self._folder)
            assert answer.status_code < 300, f"{where}: {told(answer)}"
            if command.into:
                (self._folder / command.into).write_bytes(answer.content)
            return 0
        assert program in _PLAIN, f"{where}: {program} is not run here; mark the block `skip` or leave it out"
        return subprocess.run(command.words, cwd=self._folder, stdout=subprocess.DEVNULL).returncode
