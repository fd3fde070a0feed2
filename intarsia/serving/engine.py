"""Engine: the models of a server, and the one place where requests wait for them."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import intarsia
from intarsia.bundle import Description
from intarsia.errors import UsageError, suggest
from intarsia.inference import Predictor
from intarsia.inference.choosing import Choice, Chooser
from intarsia.inference.clouds import CloudPredictor
from intarsia.inference.pipelines import NO_PIXELS
from intarsia.inference.ready import Ready
from intarsia.media.pixels import RGB
from intarsia.runtimes.timed import Timed, nothing
from intarsia.serving.calls import Call, GivenUp, unless_left
from intarsia.serving.problems import CLIENT_GONE, NOT_FOUND, TOO_LATE, TOO_MANY, UNAVAILABLE, UNSUPPORTED, Problem
from intarsia.serving.settings import Settings
from intarsia.zoo import bundled_models, find_bundle

T = TypeVar("T")
AnyPredictor = Predictor | CloudPredictor
P = TypeVar("P", bound=Ready)

_MOST_LEFT = 2  # requests that nobody waits for any more, and that threads still work for
_MOST_VARIANTS = 16  # of loaded models with other options
_SIDE = 640  # pixels of the longer side at which a picture is clustered


class Engine:
    """The models of a server.

    Models are loaded by one thread, each once, whoever asks for it meanwhile. All that computes on a
    runtime does so on that runtime's one thread, which may use all cores. What does not fit into the queue is sent away
    at once, so that what is answered is answered soon. Work that nobody waits for any more ends at its next step; until
    then it counts, and of too much of it no more is begun.

    Args:
        settings: of the server.

    Attributes:
        draining: whether the server is about to end.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.draining = False
        self._files = {name: str(path) for name, path in bundled_models().items() if name not in NO_PIXELS}
        self._loaded: dict[str, AnyPredictor] = {}
        self._variants: OrderedDict[tuple[str, str], AnyPredictor] = OrderedDict()
        self._loading: dict[str, asyncio.Task[AnyPredictor]] = {}
        self._loader = ThreadPoolExecutor(1, "loader")
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._chooser: Chooser | None = None
        self._helpers = ThreadPoolExecutor(settings.queue + 1 + _MOST_LEFT, "helper")
        self._inside = self._left = 0
        self._counting = threading.Lock()  # of those that left, which end on other threads
        self._descriptions: dict[str, Description] = {}
        self._usual = 1.0  # seconds that a request takes, of late

    def add(self, name: str, source: str | os.PathLike[str]) -> None:
        """Make a model known by a name, in place of an earlier one of that name."""
        self._files[name] = str(find_bundle(source))
        for known in (self._loaded, self._descriptions):
            known.pop(name, None)
        for key in [key for key in self._variants if key[0] == name]:
            del self._variants[key]

    @property
    def names(self) -> list[str]:
        """The models that may be asked for."""
        return sorted(self._files)

    def source(self, name: str) -> str:
        """The file of a model.

        Raises:
            Problem: there is no such model.
        """
        self.description(name)
        return self._files[name]

    def folder(self, name: str) -> Path:
        """The folder of a model's file."""
        return Path(self._files[name]).absolute().parent

    @property
    def waiting(self) -> int:
        """Requests that are computed, or wait for it."""
        return self._inside

    def is_loaded(self, name: str) -> bool:
        """Tell whether a model is ready."""
        return name in self._loaded

    def description(self, name: str) -> Description:
        """Read all of a model but its weights.

        Raises:
            Problem: there is no such model.
        """
        if name not in self._files:
            raise Problem(NOT_FOUND, f"no model is named {name!r}.{suggest(name, self._files)}")
        if name not in self._descriptions:
            self._descriptions[name] = Description.load(find_bundle(self._files[name]))
        return self._descriptions[name]

    async def predictor(self, name: str, options: Mapping[str, Any] | None = None) -> AnyPredictor:
        """Give a model, loading it if need be.

        Args:
            name: one of `names`.
            options: of prediction, as for `intarsia.load`, but for runtime, precision and device.

        Raises:
            Problem: there is no such model.
            UsageError: an option that means nothing to it, or is out of range.
        """
        found = self._loaded.get(name)
        if found is None:
            self.description(name)
            task = self._loading.get(name)
            if task is None:
                task = self._loading[name] = asyncio.create_task(self._load(name))
            found = await asyncio.shield(task)
        given = {key: value for key, value in (options or {}).items() if value is not None and value is not False}
        if not given:
            return found
        key = (name, repr(sorted(given.items())))
        if key not in self._variants:
            self._variants[key] = type(found).with_options(found.bundle, given | {"runtime": found.runtime})
            while len(self._variants) > _MOST_VARIANTS:
                self._variants.popitem(last=False)
        self._variants.move_to_end(key)
        return self._variants[key]

    async def of_pictures(self, name: str, options: Mapping[str, Any] | None = None) -> Predictor:
        """Give a model of pictures; see `predictor`.

        Raises:
            Problem: it is of something else.
        """
        found = await self.predictor(name, options)
        try:
            return found.of_pictures(name)
        except UsageError as error:
            raise Problem(UNSUPPORTED, str(error)) from None

    async def load(self, function: Callable[[], T]) -> T:
        """Run what opens networks on the thread that loads, one after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._loader, function)

    async def _load(self, name: str) -> AnyPredictor:
        try:
            found = self._loaded[name] = await self.load(lambda: _timed(intarsia.load(self._files[name])))
            return found
        finally:
            self._loading.pop(name, None)

    async def clustering(self, call: Call, pixels: RGB) -> Predictor:
        """Fit k-means to a picture (H, W, 3), for which nobody has trained anything.

        Raises:
            UsageError: PyTorch is not installed.
        """
        with call.stages("fit"):
            return await self.load(lambda: _timed(intarsia.cluster(pixels, long_side=_SIDE), confidence=True))

    async def choose(self, call: Call, pixels: RGB) -> Choice:
        """Choose a model for a picture (H, W, 3) that none was named for."""

        def look() -> Choice:
            call.check()
            self._chooser = self._chooser or Chooser()
            return self._chooser.choose(pixels)

        with call.stages("look"):
            return await self._run(call, self._thread("onnx"), look)

    async def admitted(self, call: Call, work: Callable[[], Any]) -> Any:
        """Await the coroutine of `work` behind the queue.

        Raises:
            Problem: the queue is full (429), the server ends (503), the deadline is over (504), the client left.
        """
        self.check_room()
        self._inside += 1
        start = time.perf_counter()
        try:
            async with asyncio.timeout(self.settings.deadline):
                return await unless_left(call, asyncio.ensure_future(work()))
        except TimeoutError:
            raise Problem(
                TOO_LATE,
                f"not done within {self.settings.deadline:g} s; send less, post it to /v1/jobs, or raise --deadline",
            ) from None
        except GivenUp:
            raise Problem(CLIENT_GONE, "the client left") from None
        finally:
            call.left.set()
            self._inside -= 1
            self._usual += 0.2 * (time.perf_counter() - start - self._usual)
            self._count_left(1)
            call.after(lambda: self._count_left(-1))

    def _count_left(self, change: int) -> None:
        with self._counting:
            self._left += change

    def check_room(self) -> None:
        """Raise a `Problem` if a request that comes now cannot be served."""
        if self.draining:
            raise Problem(
                UNAVAILABLE, "the server is about to end; ask again in a moment", headers={"Retry-After": "5"}
            )
        if self._inside > self.settings.queue:
            wait = max(1, round(self._usual * self._inside))
            raise Problem(
                TOO_MANY,
                f"{self._inside} requests are in work and no more may wait; ask again in {wait} s",
                headers={"Retry-After": str(wait)},
            )
        if self._left > _MOST_LEFT:
            raise Problem(
                TOO_MANY,
                f"{self._left} requests whose clients left are still in work; ask again in a moment",
                headers={"Retry-After": "5"},
            )

    async def compute(self, call: Call, predictor: AnyPredictor, function: Callable[[], T]) -> T:
        """Run what computes on a model's runtime on the thread of that runtime; "predict" is all but the network.

        It ends between two parts of the picture as soon as nobody waits for it any more.
        """
        runtime = predictor.runtime
        assert isinstance(runtime, Timed)

        def counted() -> T:
            before, runtime.check = runtime.seconds, call.check
            try:
                return function()
            finally:
                runtime.check = nothing
                network = 1000 * (runtime.seconds - before)
                call.stages.add("network", network)
                call.stages.add("predict", -network)

        return await self.compute_on(call, runtime.name, counted)

    async def compute_on(self, call: Call, runtime: str, function: Callable[[], T]) -> T:
        """Run what computes on a runtime, by its name, on the thread of that runtime."""
        asked = time.perf_counter()

        def timed() -> T:
            call.check()
            call.stages.add("queue", 1000 * (time.perf_counter() - asked))
            with call.stages("predict"):
                return function()

        return await self._run(call, self._thread(runtime), timed)

    async def beside(self, call: Call, function: Callable[[], T]) -> T:
        """Run what reads, decodes or encodes on a helper thread, beside what computes."""

        def checked() -> T:
            call.check()
            return function()

        return await self._run(call, self._helpers, checked)

    async def _run(self, call: Call, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        call.running = running = pool.submit(work)
        return await asyncio.wrap_future(running)

    def _thread(self, runtime: str) -> ThreadPoolExecutor:
        if runtime not in self._threads:
            self._threads[runtime] = ThreadPoolExecutor(1, f"model-{runtime}")
        return self._threads[runtime]

    def close(self) -> None:
        """Let the threads go; what they compute is not waited for."""
        for pool in (self._loader, self._helpers, *self._threads.values()):
            pool.shutdown(wait=False, cancel_futures=True)


def _timed(predictor: P, **options: Any) -> P:
    """The same predictor, with options of prediction, whose runtime tells how long it computes."""
    return type(predictor).with_options(predictor.bundle, options | {"runtime": Timed(predictor.runtime)})
