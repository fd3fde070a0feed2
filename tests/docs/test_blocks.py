"""Every block of code that a page shows: all are what the program takes, those of tutorials and answers also run."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from docs.running import Reader
from docs.shell import ROOT, commands_of, no_commands, wrong_with
from handbook.markdown import Page
from tiny import TINY

import intarsia
from intarsia.cli.main import main

# Against hangs only, as elsewhere: a page may train several times and export a network.
pytestmark = pytest.mark.timeout(900)

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = [path for path in PAGES if path.parent.name in ("tutorials", "howto", "explanation")]


# The quickest network to train, and to translate where a page exports it.
QUICK = (*TINY[1:6], "model.architecture=deeplabv1", "model.options={base: 4, width: 16, dropout: 0}", *TINY[8:])
# A network of a few thousand weights, for the few points of a drawn cloud.
TINY_CLOUD = (
    *TINY[1:6], "cloud.points=64", "cloud.blocks=4", "cloud.voxel=0", "cloud.features=[height, intensity]",
    "model.options={widths: [8, 8], neighbours: 6}",
)  # fmt: skip


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_what_a_page_shows_is_what_the_program_takes(path: Path) -> None:
    page = Page.read(path)
    wrong = [f"there is no `{name}`" for name in no_commands(page.text)]
    for fence in page.fences:
        where = f"line {fence.line}"
        if fence.language == "python":
            try:
                compile(fence.text, where, "exec")
            except SyntaxError as error:
                wrong.append(f"{where}: {error}")
        elif fence.language in ("sh", "bash", ""):
            wrong += [f"{where}: {said}" for one in commands_of(fence.text) if (said := wrong_with(one))]
    for number, line in page.prose:
        if line.startswith(("    intarsia ", "    pip ")):
            wrong += [f"line {number}: {said}" for one in commands_of(line) if (said := wrong_with(one))]
    assert not wrong, "\n".join(wrong)


def _in_seconds(train: Callable[..., Any]) -> Callable[..., Any]:
    """`intarsia.train` in one epoch of a tiny network, or few trees; a resumed run gets a second one."""

    def trained(source: str | Path, *places: Any, changes: Sequence[str] = (), **said: Any) -> Any:
        steps = [f"training.epochs={1 + bool(said.get('resume'))}", "training.minutes=null"]
        if said.get("recipe") is None:
            steps += TINY_CLOUD if "scans" in str(source) else QUICK
        elif said["recipe"] == "random-forest":
            steps.append("model.options.trees=4")
        return train(source, *places, changes=[*changes, *steps], **said | {"progress": False})

    return trained


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from starlette.testclient import TestClient

    from intarsia.serving.app import create_app
    from intarsia.serving.settings import Settings

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(intarsia, "train", _in_seconds(intarsia.train))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    said = io.StringIO()

    def run(*arguments: str) -> int:
        said.seek(0), said.truncate()
        with redirect_stdout(said), redirect_stderr(said):
            return main(arguments)

    def serve(options: dict[str, Any]) -> Any:
        stack.close()  # who starts another server has stopped the one before
        models = tuple(map(str, options["model"]))
        return stack.enter_context(TestClient(create_app(Settings(models=models, data=options["data"]))))

    with ExitStack() as stack:
        yield Reader(tmp_path, run, said.getvalue, serve)


@pytest.mark.parametrize("path", RUN, ids=_name)
def test_every_block_runs(path: Path, reader: Reader) -> None:
    reader.read(Page.read(path))
