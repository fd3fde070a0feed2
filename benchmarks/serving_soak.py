"""The server's memory and answers over many mixed requests: its last quarter of them beside its first.

    python benchmarks/serving_soak.py [--quick] [--requests N] [--json FILE]

One client asks for everything in turn, in another order each time: pictures of several sizes in every form of answer, a
map, a scan, a cloud, tensors as JSON and as bytes, conversions, uses, jobs, the studio's project, broken and absurd
files; and now and then it leaves before its answer. Every answer has to have the right status and, where it is a file,
the same bytes as before. Memory counts from when everything was asked for twice, because by then all is loaded.
"""

from __future__ import annotations

import gzip
import http.client
import io
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from common import Row, arguments, report
from PIL import Image
from serving import Served, photo, serving

from intarsia.labels import LabelSpace
from intarsia.media.clouds import PointCloud, open_cloud, write_labels
from intarsia.threads import cores

JPEG, BYTES, JSON = "image/jpeg", "application/octet-stream", "application/json"
LEAVES = 0.02  # seconds after which a client leaves
_EVERY = 20  # requests between two looks at the memory
_EARLY = 500  # requests after which memory shall grow no more


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        path: with its query.
        body: None: it is a GET.
        kind: content type.
        status: of the answer.
        headers: further ones.
    """

    path: str
    body: bytes | None = None
    kind: str = JPEG
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Client:
    """Asks a server, and compares what it says with what it said before.

    Attributes:
        served: the server.
        wrong: what was not as it should be, in words.
        count: requests so far.
    """

    served: Served
    wrong: list[str] = field(default_factory=list)
    count: int = 0
    _seen: dict[str, bytes] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = JPEG, **more: str
    ) -> tuple[int, bytes]:
        """Status and body of an answer."""
        self.count += 1
        connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=300)
        connection.request(method, path, body, {"Content-Type": kind, **more} if body is not None else more)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def expect(self, asked: Asked, key: str) -> None:
        """Ask, and see that status and bytes are right."""
        method = "GET" if asked.body is None else "POST"
        status, content = self.ask(method, asked.path, asked.body, asked.kind, **asked.headers)
        same = self._seen.setdefault(key, sha256(content).digest()) == sha256(content).digest()
        if status != asked.status:
            self.wrong.append(f"{asked.path}: {status} {content[:200]!r}")
        elif status == 200 and not same:
            self.wrong.append(f"{asked.path}: other bytes than before")

    def leave(self, asked: Asked) -> None:
        """Ask, and leave before the answer."""
        self.count += 1
        connection = http.client.HTTPConnection("127.0.0.1", self.served.port, timeout=300)
        connection.request("POST", asked.path, asked.body, {"Content-Type": asked.kind})
        time.sleep(LEAVES)
        connection.close()
        while self.ask("GET", "/readyz")[0] != 200 or b"intarsia_waiting 0.0" not in self.ask("GET", "/metrics")[1]:
            time.sleep(0.01)

    def job(self, body: bytes, expected: bytes) -> None:
        """Let a job segment a picture, take its mask, and remove it."""
        _, told = self.ask("POST", "/v1/jobs?model=person&write=labels&name=a.jpg", body)
        place = f"/v1/jobs/{json.loads(told)['id']}"
        while json.loads(self.ask("GET", place)[1])["state"] in ("queued", "running"):
            time.sleep(0.05)
        if self.ask("GET", f"{place}/results/a.mask.png")[1] != expected:
            self.wrong.append("the job's mask is not the answer's")
        self.ask("DELETE", place)

    def project(self, body: bytes) -> None:
        """Add a picture to the project, predict and save it, and remove it."""
        _, told = self.ask("POST", "/v1/project/items?name=a.jpg", body)
        place = f"/v1/project/items/{json.loads(told)['items'][0]['id']}"
        _, mask = self.ask("POST", f"{place}/predict?model=person")
        self.ask("GET", f"{place}/image?max_side=160")
        status, said = self.ask("PUT", f"{place}/labels", mask, "image/png", **{"If-Match": '"0"'})
        if status != 204 or self.ask("GET", f"{place}/labels")[1] != mask:
            self.wrong.append(f"the project did not keep labels: {status} {said[:200]!r}")
        self.ask("DELETE", place)


def cloud() -> bytes:
    """2,000 points as PLY."""
    numbers = np.random.default_rng(0)
    once = np.ones(2000, np.uint8)
    fields = {"intensity": np.arange(2000, dtype=np.uint16), "return_number": once, "number_of_returns": once}
    points = PointCloud(numbers.uniform(0, [40, 30, 8], (2000, 3)), fields)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ply"
        write_labels(open_cloud(points), path, np.zeros(2000, np.uint8), LabelSpace(("any",)))
        return path.read_bytes()


def scan() -> bytes:
    """A volume as NIfTI."""
    import nibabel

    values = np.random.default_rng(0).normal(0, 100, (40, 30, 4)).astype(np.int16)
    return gzip.compress(nibabel.Nifti1Image(values, np.eye(4)).to_bytes(), mtime=0)


def raster() -> bytes:
    """A map as GeoTIFF."""
    import rasterio

    values = np.random.default_rng(0).integers(0, 255, (3, 200, 300), dtype=np.uint8)
    profile = {"driver": "GTiff", "width": 300, "height": 200, "count": 3, "dtype": "uint8", "crs": "EPSG:25832"}
    with rasterio.MemoryFile() as file:
        with file.open(**profile, transform=rasterio.transform.from_origin(5e5, 5.4e6, 0.5, 0.5)) as made:
            made.write(values)
        return bytes(file.read())


def bomb() -> bytes:
    """A small PNG of very many pixels."""
    file = io.BytesIO()
    Image.new("1", (9000, 9000)).save(file, "PNG")
    return file.getvalue()


def requests(served: Served) -> Iterator[Asked]:
    """All that is asked by the same request each time."""
    client = Client(served)
    forms = [one["name"] for one in json.loads(client.ask("GET", "/v1/answers")[1])]
    bodies = [photo((side, side * 3 // 4)) for side in (160, 320, 480, 640, 900)]
    for number, form in enumerate(forms * 2):
        model = ("person", "street")[number % 2]
        keep = f"&keep={('person', 'road')[number % 2]}" if form == "alpha" else ""
        yield Asked(f"/v1/segment?model={model}&format={form}{keep}", bodies[number % len(bodies)])
    yield from (
        Asked(f"/v1/segment?model=person&{more}", bodies[1]) for more in ("tta=true", "tile=256", "refine=guided")
    )
    for use in ("portrait", "background", "makeup?lips=red"):
        yield Asked(f"/v1/composite/{use}", bodies[3])
    for use in ("drive?model=street", "handwriting"):  # it shows no road, and no text
        yield Asked(f"/v1/composite/{use}", bodies[3], status=422)
    pixels = np.asarray(Image.open(io.BytesIO(bodies[0])))
    image = {"name": "image", "datatype": "UINT8", "shape": list(pixels.shape)}
    yield Asked("/v2/models/person/infer", json.dumps({"inputs": [image | {"data": pixels.tolist()}]}).encode(), JSON)
    head = json.dumps({"inputs": [image | {"parameters": {"binary_data_size": pixels.size}}]}).encode()
    length = {"Inference-Header-Content-Length": str(len(head))}
    yield Asked("/v2/models/person/infer", head + pixels.tobytes(), BYTES, headers=length)
    coco = client.ask("POST", "/v1/segment?model=person&format=coco", bodies[2])[1]
    for tool in ("cvat", "labelme", "via", "yolo"):
        yield Asked(f"/v1/convert?to={tool}&name=a.json", coco, JSON)
    yield Asked("/v1/pointclouds/segment?name=a.ply", cloud(), BYTES)
    yield Asked("/v1/segment?model=person&name=a.nii.gz", scan(), BYTES, status=400)  # it is of pictures
    yield Asked("/v1/segment?model=street&name=a.tif", raster(), BYTES)
    yield from broken(bodies[2], coco)
    yield from (Asked(path) for path in ("/v1/models", "/v1/answers", "/healthz", "/", "/openapi.json", "/v1/uses"))


def broken(body: bytes, coco: bytes) -> Iterator[Asked]:
    """What is refused."""
    yield Asked("/v1/segment?model=person", b"no picture", status=400)
    yield Asked("/v1/segment?model=person", body[: len(body) // 2], status=400)
    yield Asked("/v1/segment?model=person", bomb(), "image/png", status=413)
    yield Asked("/v1/segment?model=nobody", body, status=404)
    yield Asked("/v1/segment?model=person&format=nothing", body, status=422)
    yield Asked("/v1/segment?model=person", body, "multipart/form-data; boundary=x", status=400)
    yield Asked("/v1/convert?to=cvat&name=a.json", coco[: len(coco) // 2], JSON, status=400)
    yield Asked("/v2/models/person/infer", b'{"inputs": []}', JSON, status=400)
    yield Asked("/v1/pointclouds/segment?name=a.las", cloud(), BYTES, status=400)
    yield Asked("/v1/jobs?model=person&name=a.zip", b"PK no archive", BYTES, status=400)


def soak(count: int, tell: Callable[[str], None]) -> Iterator[Row]:
    with serving("-m", "person", "-m", "street", "--max-jobs", "5") as served:
        client, wanted = Client(served), list(requests(served))
        body = photo((320, 240))
        mask = client.ask("POST", "/v1/segment?model=person", body)[1]
        order, held, start = random.Random(0), [], time.monotonic()
        rounds = told = 0
        early = last_seen = 0.0
        while client.count < count:
            order.shuffle(wanted)
            rounds += 1
            for number, asked in enumerate(wanted):
                client.expect(asked, asked.path + asked.kind + str(len(asked.body or b"")))
                if rounds > 2 and number % _EVERY == 0:
                    held.append(served.memory())
            client.leave(Asked("/v1/segment?model=street", photo((1280, 960))))
            client.job(body, mask)
            client.project(body)
            last_seen = served.memory()
            early = early or (last_seen if client.count >= _EARLY else 0.0)
            tell(f"{client.count:,} requests, {last_seen:.0f} MB, {len(client.wrong)} wrong")
            for line in client.wrong[told:]:
                tell(f"  {line}")
            told = len(client.wrong)
        took = time.monotonic() - start
    quarter = max(1, len(held) // 4)
    first, last = float(np.median(held[:quarter])), float(np.median(held[-quarter:]))
    case = f"{client.count:,} mixed requests of {len(wanted) + 12} kinds"
    yield Row(case, "resident memory, last quarter", "MB", last, first, "first quarter", first / last)
    if early:
        metric, peer = "resident memory at the end", f"after {_EARLY}"
        yield Row(case, metric, "MB", last_seen, early, peer, last_seen / early)
    yield Row(case, "wrong answers", "", len(client.wrong), None, "", None)
    yield Row(case, "requests a second", "", client.count / took, None, "", None)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--requests", type=int, metavar="N", help="how many; 10,000 unless it shall be quick")
    options = parser.parse_args()
    count = options.requests or (400 if options.quick else 10_000)
    report("Serving, for long", soak(count, lambda said: print(said, flush=True)), options.json, threads=cores())


if __name__ == "__main__":
    main()
