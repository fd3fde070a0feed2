"""Shared fixtures."""

from __future__ import annotations

import errno
import gc
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import pytest
from tiny import TINY, TinyRun

from intarsia.threads import share_cores

if TYPE_CHECKING:
    from intarsia.inference import Predictor
    from intarsia.models import ImageModel
    from intarsia.preprocessing import Preprocessing


def pytest_configure(config: pytest.Config) -> None:
    """Threads wait as under the command; several workers share the cores: one thread each, also in what they start."""
    share_cores()
    sys.modules.setdefault("openvino_telemetry", cast(ModuleType, None))  # see `runtimes.openvino_library`
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # as `runtimes.network` does; some tests import it themselves
    keep_compiled()
    stay_on_this_machine()
    write_into_memory()
    # What is measured of tests' networks is not kept beside what is measured of the user's.
    os.environ["XDG_CACHE_HOME"] = cache = tempfile.mkdtemp(prefix="intarsia-tests-")
    config.add_cleanup(lambda: shutil.rmtree(cache, ignore_errors=True))
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"  # which torch, loaded later, reads as well


def keep_compiled() -> None:
    """Keep the bytecode of tests and package, also where the environment (as in many images) says not to.

    Else each worker compiles each test again, and each of the processes that tests start compiles the package.
    """
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def write_into_memory() -> None:
    """Let temporary files lie in memory where that has room: what is synced (10,000 times in all) waits for no disk."""
    memory = "/dev/shm"
    if "TMPDIR" in os.environ or not os.access(memory, os.W_OK | os.X_OK):
        return
    held = os.statvfs(memory)
    if held.f_bavail * held.f_frsize > 4 << 30 and not held.f_flag & os.ST_NOEXEC:
        tempfile.tempdir = os.environ["TMPDIR"] = memory


def stay_on_this_machine() -> None:
    """Refuse connections to anywhere else: no test depends on, or tells, a network. Names that others have are none."""
    import socket

    connect = socket.socket.connect

    def checked(self: socket.socket, address: Any) -> None:
        inet = self.family in (socket.AF_INET, socket.AF_INET6)
        if inet and address[0] not in ("localhost", "::1") and not str(address[0]).startswith("127."):
            raise OSError(errno.ENETUNREACH, f"tests stay on this machine, and one wanted to reach {address[0]}")
        connect(self, address)

    socket.socket.connect = checked  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Search for no garbage among modules and tests, here nor later: a million objects, and they stay to the end.

    What is loaded later stays as well: searching for it after every 700 objects took a sixteenth of all tests' time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(5_000, 10, 5)
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest in one piece, so that no worker is left with it at the end."""
    items.sort(key=lambda item: "training" not in item.path.parts)
    for item in items:
        if not HAS_TORCH and item.get_closest_marker("needs_torch"):
            item.add_marker(pytest.mark.skip(reason="this environment has no PyTorch"))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Without PyTorch (`make light`), leave out the tests that need it themselves, or one of the peers."""
    if HAS_TORCH or collection_path.suffix != ".py":
        return None
    return True if NEEDS_TORCH.search(collection_path.read_text(encoding="utf-8")) else None


HAS_TORCH = importlib.util.find_spec("torch") is not None
_ROOMS = r"(apps\.demo|models|losses|training|runtimes\.torch|transforms\.(augment|clips))"
_OTHERS = "ir_made|kornia|monai|moving|networks|one_layer|onnx|openvino|pycocotools|stripes|timm|torch"
NEEDS_TORCH = re.compile(
    rf"^\s*((import|from) ({_OTHERS}|intarsia\.{_ROOMS})\b|from intarsia(\.apps)? import .*(demo|models))", re.MULTILINE
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Neighbours, which share what was made for them, go to one worker; one that is idle takes over another's last."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getvalue("dist") == "load" else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data sets: $INTARSIA_DATA, or ../shared/data beside the repository."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("INTARSIA_DATA", default))
    if not folder.is_dir():
        reason = f"no real data at {folder}; set INTARSIA_DATA to the folder that holds camvid/"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, without a graphics card: one for the studio and the documentation."""
    from studio.programs import CHROMIUM, chromium, missing

    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A run that `intarsia.train` made of a plain folder of twelve scenes. Do not change its files."""
    pytest.importorskip("torch")
    import intarsia
    from intarsia.datasets.synthetic import write_scenes

    folder = tmp_path_factory.mktemp("tiny")
    data = write_scenes(folder / "scenes", 12, (64, 80))
    return TinyRun(data, intarsia.train(data, folder / "run", changes=TINY, progress=False))


@pytest.fixture
def make_predictor() -> Callable[..., Predictor]:
    """Build a predictor around a network whose answers are known: make_predictor(model, classes, **options)."""
    pytest.importorskip("torch")
    from networks import PLAIN

    from intarsia.bundle import Bundle
    from intarsia.inference import Predictor
    from intarsia.labels import LabelSpace
    from intarsia.runtimes.torch import TorchRuntime

    def make(
        model: ImageModel,
        classes: int = 2,
        *,
        names: Sequence[str] = ("dark", "bright", "third", "fourth", "fifth"),
        preprocessing: Preprocessing = PLAIN,
        recipe: dict[str, Any] | None = None,
        **options: Any,
    ) -> Predictor:
        space = LabelSpace(tuple(names[:classes]))
        bundle = Bundle("none", {}, space, preprocessing, dict(model.state_dict()), recipe=recipe)
        return Predictor(bundle, runtime=TorchRuntime(model.eval(), precision="fp32"), **options)

    return make


@pytest.fixture
def local() -> ImageModel:
    from networks import Local

    return Local()


@pytest.fixture
def constant() -> ImageModel:
    from networks import Constant

    return Constant()


@pytest.fixture
def tiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every image is tiled, however small."""
    monkeypatch.setattr("intarsia.inference.pictures.predictor.WHOLE_PIXELS", 0)
