"""A server for the page alone: the studio's files under its real content policy, and canned answers to its requests."""

from __future__ import annotations

import io
import json
import re
import sys
import tempfile
import threading
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from intarsia.labels import LabelArray, LabelSpace
from intarsia.media.png import MaskWriter

STUDIO = Path(__file__).parents[2] / "intarsia" / "serving" / "studio"
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; worker-src 'self' blob:; "
    "connect-src 'self'; style-src 'self'; script-src 'self'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
DELAY = re.compile(rb"(const \w+_(?:AFTER|AT_MOST) = )(\d+)")
HASTE = 5
"""How much sooner than people's a page of this server saves by itself, in the same order: tests wait for it often."""
NAMES = ("sky", "building", "road", "tree", "person")


def mask_png(labels: LabelArray, space: LabelSpace) -> bytes:
    """The labels as the package writes them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.png"
        with MaskWriter(path, labels.shape[1], labels.shape[0], space) as writer:
            writer.write(labels)
        return path.read_bytes()


def read_mask(data: bytes) -> LabelArray:
    """The indices of a mask, by a decoder that is not ours."""
    with Image.open(io.BytesIO(data)) as image:
        array: LabelArray = np.asarray(image)
    return array.astype(np.uint16 if array.dtype.itemsize > 1 else np.uint8)


def scene(width: int, height: int, classes: int = 5) -> LabelArray:
    """Bands and discs: every class somewhere, borders in all directions."""
    y, x = np.mgrid[0:height, 0:width]
    labels = (y * 3 // height).astype(np.uint8 if classes < 256 else np.uint16)
    for index in range(3, classes):
        cx, cy = (0.17 + 0.31 * index) % 1 * width, (0.23 + 0.37 * index) % 1 * height
        labels[(x - cx) ** 2 + (y - cy) ** 2 < (0.14 * min(width, height)) ** 2] = index
    return labels


def photo_of(labels: LabelArray) -> NDArray[np.uint8]:
    """A photo that goes with labels: flat colours with a little noise that is the same each time."""
    table = np.random.default_rng(3).integers(40, 220, (512, 3), dtype=np.uint8)
    rgb: NDArray[np.uint8] = table[labels]
    rgb += np.random.default_rng(4).integers(0, 13, labels.shape, dtype=np.uint8)[..., None]
    return rgb


class Stub:
    """The state behind the answers, and the server's life.

    Args:
        width, height: of the one sample.
        magnified: how many times it is drawn larger.
        names: classes of the models.
        project: whether the project holds the picture already; otherwise the page must take the sample.
        key: what requests must carry; "" for none.
    """

    def __init__(
        self,
        width: int = 320,
        height: int = 200,
        names: tuple[str, ...] = NAMES,
        *,
        magnified: int = 1,
        project: bool = False,
        key: str = "",
    ) -> None:
        self.space, self.key = LabelSpace(names), key
        self.truth = scene(width, height, len(names)).repeat(magnified, 0).repeat(magnified, 1)
        self.photo = io.BytesIO()
        Image.fromarray(photo_of(self.truth)).save(self.photo, "BMP" if self.truth.size > 4_000_000 else "PNG")
        self.items: list[dict[str, Any]] = []
        self.stored: dict[str, tuple[int, bytes]] = {}
        self.requests: list[tuple[str, str]] = []
        self.clicks: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self.refuse_labels = self.forgets = False
        self.rows: list[dict[str, Any]] = []
        self.revision = self.numbered = 1
        if project:
            self.add("picture.png")
        self.server = Server(("127.0.0.1", 0), type("Answers", (Answers,), {"stub": self}))
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Stub:
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.shutdown()
        self.server.server_close()

    def add(self, name: str) -> None:
        height, width = self.truth.shape
        self.items.append(
            {
                "id": str(len(self.items)), "name": name, "medium": "picture", "width": width, "height": height,
                "revision": 0, "state": "new", "uncertainty": None, "model": "street",
            }
        )  # fmt: skip

    def classes(self) -> list[dict[str, Any]]:
        return [
            {"index": index, "name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
            for index, (name, color) in enumerate(zip(self.space.names, self.space.palette, strict=True))
        ]

    def project(self) -> dict[str, Any]:
        numbers = {"classes_revision": self.revision, "classes_numbered": self.numbered}
        return {
            "name": "stub",
            "classes": self.rows or self.classes(),
            "ignore_index": self.space.ignore_index,
        } | numbers

    def models(self) -> dict[str, Any]:
        told = {"medium": "picture", "architecture": "stub", "classes": self.classes(), "loaded": True, "card": {}}
        told["ignore_index"] = self.space.ignore_index
        models = [{"name": name, "title": name.title(), **told} for name in ("street", "other")]
        return {"default": "street", "models": models}

    def predicted(self, model: str) -> LabelArray:
        return np.roll(self.truth, 12, axis=1) if model == "other" else self.truth

    def saved(self, item: str = "0") -> LabelArray:
        """What the page has put."""
        return read_mask(self.stored[item][1])

    def save_elsewhere(self, labels: LabelArray, item: str = "0") -> None:
        """Save as another tab would."""
        self.stored[item] = (self.stored.get(item, (0, b""))[0] + 1, mask_png(labels, self.space))


class Server(ThreadingHTTPServer):
    """Says nothing of pages that went before their answer came."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Answers(BaseHTTPRequestHandler):
    """Routes by hand; `stub` is set by the class that the server is given."""

    stub: Stub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        self.route("GET")

    def do_POST(self) -> None:
        self.route("POST")

    def do_PUT(self) -> None:
        self.route("PUT")

    def do_PATCH(self) -> None:
        self.route("PATCH")

    def route(self, method: str) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        stub = self.stub
        if not url.path.startswith("/v1/"):
            return self.send_static(url.path)
        with stub.lock:
            stub.requests.append((method, url.path))
        if stub.key and self.headers.get("Authorization") != f"Bearer {stub.key}":
            return self.problem(401, "A key is needed.")
        match method, url.path.removeprefix("/v1/").split("/"):
            case "GET", ["models"]:
                self.send(stub.models())
            case "GET", ["project"]:
                self.send(stub.project() | {"items": stub.items})
            case "GET", ["project", "options"]:
                self.send({"clustering": None})
            case "PATCH", ["project"]:
                self.change(json.loads(body))
            case "GET", ["uses"]:
                self.send([])
            case "GET", ["samples"]:
                self.send([{"name": "scene.png", "title": "Scene", "credit": "drawn"}])
            case ("GET", ["samples", _]) | ("GET", ["project", "items", _, "image"]):
                self.send(stub.photo.getvalue(), "image/png")
            case "POST", ["project", "items"]:
                stub.add("scene.png")
                self.send({"items": stub.items})
            case "GET", ["project", "items", item]:
                self.send(stub.items[int(item)] | {"revision": stub.stored.get(item, (0, b""))[0]})
            case "POST", ["project", "items", _, "predict"]:
                self.send(mask_png(stub.predicted(query.get("model", "")), stub.space), "image/png")
            case "GET", ["project", "items", _, "uncertainty"]:
                height, width = stub.truth.shape
                ramp = np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1))
                file = io.BytesIO()
                Image.fromarray(ramp).save(file, "PNG")
                self.send(file.getvalue(), "image/png")
            case _, ["project", "items", item, "labels"]:
                self.labels(method, item, body)
            case "POST", ["segment", "interactive"]:
                self.click(body)
            case _:
                self.problem(404, f"There is no {url.path}.")

    def change(self, said: dict[str, Any]) -> None:
        """Take classes as they are said; where some are left out, the others get new numbers."""
        stub = self.stub
        with stub.lock:
            if said["classes_revision"] != stub.revision:
                return self.problem(409, "Changed elsewhere.", classes_revision=stub.revision)
            stub.revision += 1
            kept = sorted(row["index"] for row in said["classes"] if "index" in row)
            if kept != [row["index"] for row in stub.project()["classes"]]:
                stub.numbered = stub.revision
            numbers = {old: new for new, old in enumerate(kept)}
            new = iter(range(len(kept), len(said["classes"])))
            stub.rows = [
                {"color": "#808080"} | row | {"index": numbers[row["index"]] if "index" in row else next(new)}
                for row in said["classes"]
            ]
        self.send(stub.project())

    def labels(self, method: str, item: str, body: bytes) -> None:
        stub = self.stub
        if int(parse_qs(urlsplit(self.path).query).get("classes_revision", ["1"])[0]) < stub.numbered:
            return self.problem(409, "Numbered anew.", classes_revision=stub.revision)
        revision, stored = stub.stored.get(item, (0, b""))
        if method == "GET":
            if not revision:
                return self.problem(404, "This picture has no labels yet.")
            return self.send(stored, "image/png", ETag=f'"{revision}"')
        if stub.refuse_labels:
            return self.problem(503, "The server is going down.")
        if self.headers.get("If-Match") != f'"{revision}"':
            return self.problem(409, "Somebody else saved meanwhile.")
        stub.stored[item] = (revision + 1, body)
        self.send(b"", status=204, ETag=f'"{revision + 1}"')

    def click(self, body: bytes) -> None:
        """Answer a click by a square of 20 pixels around it."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = {
            part.get_param("name", header="Content-Disposition"): part.get_payload(decode=True)
            for part in BytesParser().parsebytes(head + body).walk()
            if not part.is_multipart()
        }
        clicks = json.loads(parts["clicks"])
        if "session" in parts and self.stub.forgets:
            return self.problem(404, "This session is not known.")
        self.stub.clicks.append(parts)
        last = clicks[-1]
        left, top = last["x"] - 10, last["y"] - 10
        patch = np.full((20, 20), last["class"], np.uint8)
        box = f"{left},{top},{left + 20},{top + 20}"
        self.send(mask_png(patch, self.stub.space), "image/png", **{"X-Box": box, "X-Session": "s1", "X-Revision": "1"})

    def send_static(self, path: str) -> None:
        name = "index.html" if path == "/" else path.removeprefix("/studio/")
        file = STUDIO / name
        if ".." in name or not file.is_file():
            return self.problem(404, f"The studio has no {name}.")
        content = file.read_bytes()
        if name == "index.html":  # the editor alone: other rooms ask for what this server has not
            content = re.sub(rb"<script[^>]*/js/(?!main\.js)[^>]*></script>", b"", content)
        if name == "js/saving.js":
            content = DELAY.sub(lambda found: found[1] + b"%d" % (int(found[2]) // HASTE), content)
        self.send(content, KINDS[file.suffix])

    def problem(self, status: int, detail: str, **more: Any) -> None:
        told = {"type": "about:blank", "title": "A problem", "status": status, "detail": detail, **more}
        self.send(json.dumps(told).encode(), "application/problem+json", status)

    def send(self, body: Any, kind: str = "application/json", status: int = 200, **headers: str) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        told = {"Content-Type": kind, "Content-Security-Policy": POLICY, "Cache-Control": "no-cache", **headers}
        for name, value in told.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
