"""Every command ends by Ctrl-C and SIGTERM: its exit code, one sentence, and nothing half written or left behind.

Each gets one signal at a point that is known, in the midst of its work.
"""

from __future__ import annotations

import itertools
import re
import shlex
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import Cli
from ordeals.annotations import make
from signalled import Point, signalled
from tiny import TINY

from intarsia.cli.commands import Commands
from intarsia.datasets.synthetic import write_scenes

COUNT = 6
SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SETS = " ".join(f"--set '{change}'" for change in TINY)


@dataclass(frozen=True)
class Case:
    """A command, and when the signal comes.

    Attributes:
        command: with PHOTOS, MASKS, SCENES, DRAWN, NET, INDEX, RUN and OUT in the places of files.
        when: see `signalled.Point`.
        name: of the file, as an expression.
        torch: whether it needs PyTorch.
    """

    command: str
    when: str = "works"
    name: str = ""
    torch: bool = False

    def __str__(self) -> str:
        """The command's first words."""
        return " ".join(self.command.split()[:3])


CASES = (
    Case("segment PHOTOS -m street -o OUT"),
    Case("portrait PHOTOS -o OUT"),
    Case("background PHOTOS -o OUT"),
    Case("drive PHOTOS -o OUT"),
    Case("makeup PHOTOS --lips #b0123b -o OUT"),
    Case("tryon PHOTOS --garment upper --colour #2040a0 -o OUT"),
    Case("handwriting PHOTOS -o OUT"),
    Case(f"train SCENES -o OUT {_SETS}", "writes", "last", torch=True),
    Case("train SCENES -r random_forest -o OUT", "writes", "recipe", torch=True),
    Case("evaluate SCENES -m RUN", "reads", "scene_005", torch=True),
    Case("benchmark PHOTOS -m street --runtime onnx", "reads", "scene_005"),
    Case("metrics MASKS MASKS -o OUT", "writes"),
    Case("export RUN -o OUT/net.onnx", "reads", "safetensors", torch=True),
    Case("count MASKS -o OUT", "writes"),
    Case("import NET --from torchvision -o OUT/net.safetensors", "reads", torch=True),
    Case("search build PHOTOS -o OUT/photos.index", "reads", "scene_004"),
    Case("search add MASKS -i INDEX", "reads", "scene_004"),
    Case("search remove --gone -i INDEX", "writes", "lock"),
    Case("search find PHOTOS/scene_001.png -i INDEX -o OUT/sheet.html", "reads", "scene_001"),
    Case("data list", "tells"),
    Case("data info camvid", "tells"),
    Case("data get sbd -o OUT", "gets"),
    Case("data check SCENES", "reads", "scene_005"),
    Case("data show SCENES -o OUT/show.png", "writes"),
    Case("data pack SCENES -o OUT", "writes"),
    Case("annotations tools", "tells"),
    Case("annotations show DRAWN", "tells"),
    Case("annotations check DRAWN", "reads"),
    Case("annotations convert DRAWN --to coco -o OUT/coco.json", "writes"),
    Case("annotations rasterize DRAWN -o OUT", "writes", "png"),
    Case("models list", "tells", torch=True),
    Case("models info street", "tells"),
    Case("recipes list", "tells"),
    Case("recipes show unet", "tells"),
    Case("recipes keys", "tells"),
    Case("recipes copy unet -o OUT/unet.yaml", "writes"),
    Case("demo -o OUT", "writes", torch=True),
    Case("doctor", "tells"),
)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands read."""
    folder = tmp_path_factory.mktemp("given")
    scenes = write_scenes(folder / "SCENES", COUNT, (48, 64))
    shutil.copytree(scenes / "images", folder / "PHOTOS")
    shutil.copytree(scenes / "masks", folder / "MASKS")
    (folder / "DRAWN").mkdir()
    make("labelme", folder / "DRAWN")
    (folder / "NET").write_bytes(b"PK")
    return folder


@pytest.fixture(scope="module")
def index(given: Path) -> Path:
    """An index of the photos."""
    from intarsia.apps.search import build

    return build([given / "PHOTOS"], given.parent / "photos.index").index.file


def commands() -> list[str]:
    """Name all commands, those of groups with the group in front."""
    found = Commands()
    return [f"{name} {part}".strip() for name in found for part in getattr(found[name], "commands", {"": None})]


def test_no_command_is_left_out() -> None:
    known = {next(name for name in commands() if case.command.startswith(name)) for case in CASES}
    assert sorted(known | {"serve"}) == sorted(commands())


@pytest.mark.parametrize(("case", "number"), list(zip(CASES, itertools.cycle(SIGNALS), strict=False)), ids=str)
def test_a_signal_ends_it(
    case: Case, number: int, given: Path, tmp_path: Path, cli: Cli, request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if case.torch:
        pytest.importorskip("torch")
    places = {place.name: place for place in given.iterdir()} | {"OUT": tmp_path / "out"}
    if "INDEX" in case.command:  # which keeps what was done
        places["INDEX"] = shutil.copy(request.getfixturevalue("index"), tmp_path / "photos.index")
    if "RUN" in case.command:
        places["RUN"] = request.getfixturevalue("tiny_run").run.folder
    words = [
        re.sub(r"^[A-Z]+(?=$|/)", lambda place: str(places.get(place[0], place[0])), word)
        for word in shlex.split(case.command)
    ]
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)
    before, point = contents(given), Point(number, (given, *places.values()), tmp_path, case.when, case.name)
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: point.send())
    with signalled(point):
        code = cli(*words)
    assert point.came, f"the point never came: {code} {cli.out} {cli.err}"
    assert code == 128 + number, cli.err
    assert f"{'ended by SIGTERM' if number == signal.SIGTERM else 'interrupted'}; nothing was left half" in cli.err
    assert "Traceback" not in cli.err and "defect" not in cli.err
    assert len({path for path in point.begun if not re.search(r"manifest|claims", path)}) <= 3  # of COUNT sources
    left = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in left if re.search(r"\.tmp|\.claims|\.parts|^tmp/", path)]
    assert contents(given) == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_server_ends_by_a_signal_and_that_is_no_failure(number: int, tmp_path: Path, cli: Cli) -> None:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    with signalled(Point(number, (), tmp_path, "tells")) as point:
        assert cli("serve", "--port", "0", "--state", tmp_path / "state") == 0, cli.err
    assert point.came
    assert "Traceback" not in cli.err


def contents(folder: Path) -> dict[str, bytes]:
    """What lies in a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
