"""What is small, or says so, and would take a server's memory, time or disk if it were believed: by route."""

from __future__ import annotations

import base64
import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import NamedTuple

from bombs import bomb

MP4_PARTS = 1000


class Sent(NamedTuple):
    """A request.

    Attributes:
        name: of the test.
        path: with the query.
        body: makes what is posted; only then, as some take their time.
        kind: content type.
        header: one more, as (name, value).
    """

    name: str
    path: str
    body: Callable[[], bytes]
    kind: str = "application/octet-stream"
    header: tuple[str, str] | None = None


def everything() -> Iterator[Sent]:
    """All of them."""
    yield from _annotations()
    yield from _inferences()
    yield from _label_studio()
    yield from _pictures()
    yield from _clouds()
    yield from _jobs()


def zip_of(files: dict[str, bytes]) -> bytes:
    """A zip archive, packed as tightly as it goes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def lying_zip() -> bytes:
    """An archive whose directory says that its file is small."""
    packed = bytearray(zip_of({"a.json": bytes(20 << 20)}))
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = packed.index(mark)
        packed[at + place : at + place + 4] = struct.pack("<I", 100)
    return bytes(packed)


def zip_in_zip() -> bytes:
    """An archive of archives, which together unpack to gigabytes."""
    inner = zip_of({"a.json": bytes(30 << 20)})
    return zip_of({f"{number}.zip": inner for number in range(30)})


def laughs() -> bytes:
    """An XML document whose entity is ten to the power of nine others."""
    lines = ['<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a0 "ha">']
    lines += [f'<!ENTITY a{n} "{"".join([f"&a{n - 1};"] * 10)}">' for n in range(1, 10)]
    return "".join([*lines, "]><annotations><image name='&a9;'/></annotations>"]).encode()


def coco(shape: dict[str, object], count: int = 1, size: tuple[int, int] = (40, 60)) -> bytes:
    """A COCO file of one image, with one annotation many times."""
    head = json.dumps({"images": [{"id": 1, "file_name": "a.jpg", "height": size[0], "width": size[1]}]})[:-1]
    one = json.dumps({"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 1, "area": 1, "bbox": [0, 0, 1, 1]} | shape)
    categories = json.dumps([{"id": 1, "name": "dark"}])
    return f'{head}, "categories": {categories}, "annotations": [{", ".join([one] * count)}]}}'.encode()


def _annotations() -> Iterator[Sent]:
    xml, to = "application/xml", "/v1/convert?to=labelme"
    yield Sent("xml entities", to, laughs, xml)
    long = f'<!DOCTYPE z [<!ENTITY a "{"x" * 100_000}">]><annotations>{"&a;" * 10_000}</annotations>'
    yield Sent("xml quadratic", to, long.encode, xml)
    outside = b'<!DOCTYPE z [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotations>&a;</annotations>'
    yield Sent("xml file", to, lambda: outside, xml)
    yield Sent("xml nested", to, lambda: b"<annotations>" + b"<image>" * 100_000, xml)
    yield Sent(
        "xml attribute", to, lambda: b'<annotations><image name="' + b"a" * (20 << 20) + b'"/></annotations>', xml
    )
    huge = b'<annotations><image id="0" name="a.jpg" width="999999999" height="999999999"><mask label="dark" rle="9"'
    yield Sent("xml size", to, lambda: huge + b' left="0" top="0" width="9" height="9"/></image></annotations>', xml)
    json_ = "application/json"
    sizes = {"segmentation": {"size": [100_000, 100_000], "counts": [0, 10_000_000_000]}}
    yield Sent("coco rle size", to, lambda: coco(sizes), json_)
    yield Sent("coco rle size said", to, lambda: coco(sizes, size=(100_000, 100_000)), json_)
    yield Sent("coco rle counts", to, lambda: coco({"segmentation": {"size": [40, 60], "counts": [0, 10**15]}}), json_)
    yield Sent("coco rle negative", to, lambda: coco({"segmentation": {"size": [40, 60], "counts": [-5, 2405]}}), json_)
    yield Sent(
        "coco rle text", to, lambda: coco({"segmentation": {"size": [40, 60], "counts": "o" * 1_000_000}}), json_
    )
    yield Sent("coco rle ones", to, lambda: coco({"segmentation": {"size": [40, 60], "counts": [1] * 500_000}}), json_)
    yield Sent("coco many", to, lambda: coco({"segmentation": []}, 10_000), json_)
    yield Sent(
        "coco empties", to, lambda: coco({}).replace(b'"annotations": [', b'"annotations": [' + b"{}," * 200_000), json_
    )
    numbers = {"segmentation": [[1e308, 1e308, -1e308, 1e308, 5, 5]]}
    yield Sent("coco numbers", "/v1/convert?to=masks", lambda: coco(numbers), json_)
    yield Sent("json number", to, lambda: b'{"a": ' + b"9" * 1_000_000 + b"}", json_)
    yield Sent("zip bomb", to, lambda: zip_of({"a.json": bytes(30 << 20)}), "application/zip")
    yield Sent("zip lies", to, lying_zip, "application/zip")
    yield Sent("zip in zip", to, zip_in_zip, "application/zip")
    yield Sent("zip many", to, lambda: zip_of({f"{n}.json": b"" for n in range(10_001)}), "application/zip")
    yield Sent("zip climbs", to, lambda: zip_of({"../../../tmp/intarsia-climbed.json": b"{}"}), "application/zip")
    yield Sent("line", to, lambda: b"0 " + b"0.5 " * 5_000_000, "text/plain")


def inference(tensor: dict[str, object], more: dict[str, object] | None = None) -> bytes:
    """The JSON of a request of the Open Inference Protocol."""
    return json.dumps({"inputs": [{"name": "image", "datatype": "UINT8"} | tensor]} | (more or {})).encode()


def _inferences() -> Iterator[Sent]:
    path, head = "/v2/models/bright/infer", "Inference-Header-Content-Length"

    def binary(name: str, tensor: dict[str, object], content: bytes, length: str | None = None) -> Sent:
        said = inference(tensor)
        return Sent(name, path, lambda: said + content, header=(head, str(len(said)) if length is None else length))

    for name, shape in (
        ("huge", [1_000_000, 1_000_000, 3]), ("beyond", [2**62, 2**62, 3]), ("zero", [0, 0, 3]), ("long", [1] * 8),
        ("power", [2**32, 2**32, 3]), ("deep", [40, 60, 2**40]),
    ):  # fmt: skip
        yield Sent(f"tensor {name}", path, partial(inference, {"shape": shape, "data": [0] * 9}), "application/json")
        yield binary(f"binary {name}", {"shape": shape, "parameters": {"binary_data_size": 9}}, b"123456789")
    sized: dict[str, object] = {"shape": [2, 2, 3], "parameters": {"binary_data_size": 12}}
    yield binary("binary short", sized, b"12")
    yield binary("binary size huge", {"shape": [2, 2, 3], "parameters": {"binary_data_size": 10**15}}, b"1" * 12)
    yield binary("binary size negative", {"shape": [2, 2, 3], "parameters": {"binary_data_size": -12}}, b"1" * 12)
    for length in ("999999999999", "-1", "1e9", "0", "9" * 5000):
        yield binary(f"header length {length[:12]}", sized, b"1" * 12, length)
    one: dict[str, object] = {"shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 8}}
    yield binary("bytes lie", one, struct.pack("<I", 2**32 - 1) + b"abcd")
    yield binary("bytes bomb", one | {"parameters": {"binary_data_size": 4 + len(bomb(9000))}},
                 struct.pack("<I", len(bomb(9000))) + bomb(9000))  # fmt: skip
    yield Sent("tensor of text", path, lambda: inference({"shape": [4, 4, 3], "data": ["x"] * 48}), "application/json")
    large = b'{"inputs":[{"name":"image","datatype":"UINT8","shape":[1000,1000,3],"data":[' + b"0," * 500_000 + b"0]}]}"
    yield Sent("tensor as text", path, lambda: large, "application/json")


CONFIG = (
    '<View><Image name="i" value="$image"/><BrushLabels name="l" toName="i"><Label value="dark"/></BrushLabels></View>'
)


def _label_studio() -> Iterator[Sent]:
    def predict(tasks: object, config: str = CONFIG) -> bytes:
        return json.dumps({"tasks": tasks, "label_config": config}).encode()

    data = "data:image/png;base64," + base64.b64encode(bomb(9000)).decode()
    json_ = "application/json"
    yield Sent("config entities", "/ls/setup", lambda: json.dumps({"schema": laughs().decode()}).encode(), json_)
    yield Sent("config nested", "/ls/setup", lambda: json.dumps({"schema": "<View>" * 300_000}).encode(), json_)
    labels = "".join(f'<Label value="{number}"/>' for number in range(50_000))
    yield Sent(
        "config labels",
        "/ls/setup",
        lambda: json.dumps({"schema": CONFIG.replace("<Label ", labels + "<Label ")}).encode(),
        json_,
    )
    yield Sent("task bomb", "/ls/predict", lambda: predict([{"id": 1, "data": {"image": data}}]), json_)
    yield Sent("tasks many", "/ls/predict", lambda: predict([{"id": 1, "data": {"image": "a"}}] * 50_000), json_)
    yield Sent(
        "task path",
        "/ls/predict",
        lambda: predict([{"id": 1, "data": {"image": "/data/local-files/?d=../../etc/passwd"}}]),
        json_,
    )
    yield Sent(
        "task text", "/ls/predict", lambda: predict([{"id": 1, "data": {"image": "data:," + "a" * (5 << 20)}}]), json_
    )


def tiff(width: int, height: int) -> bytes:
    """A TIFF that is a header."""
    entries = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, height),
        (279, 4, 2**32 - 1),
    ]
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)


def nifti(*shape: int) -> bytes:
    """A NIfTI-1 that is a header."""
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into("<hh", head, 70, 4, 16)
    struct.pack_into("<f", head, 108, 352.0)
    head[344:348] = b"n+1\0"
    return bytes(head)


def png(*chunks: tuple[bytes, bytes], width: int = 8) -> bytes:
    """A small PNG with more chunks behind its header, and perhaps another width in it."""
    head = (b"IHDR", struct.pack(">IIBBBBB", width, 8, 8, 0, 0, 0, 0))
    parts = [head, *chunks, (b"IDAT", zlib.compress(bytes(72))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


@cache
def _packed() -> bytes:
    return zlib.compress(bytes(70 << 20), 9)


def _pictures() -> Iterator[Sent]:
    jpeg = b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03\x01\x22\x00\x02\x11\x01\x03\x11\x01\xff\xd9"
    for name, body, kind in (
        ("png", lambda: bomb(9000), "image/png"),
        ("png side", lambda: png(width=2**31 - 1), "image/png"),
        ("png text", lambda: png((b"zTXt", b"a\0\0" + _packed())), "image/png"),
        ("png texts", lambda: png(*[(b"zTXt", b"a\0\0" + zlib.compress(bytes(1 << 20)))] * 200), "image/png"),
        ("png profile", lambda: png((b"iCCP", b"a\0\0" + _packed())), "image/png"),
        ("jpeg", lambda: jpeg, "image/jpeg"),
        ("tiff", lambda: tiff(2**31, 2**31), "image/tiff"),
        ("tiff lies", lambda: tiff(4000, 4000), "image/tiff"),
        ("nifti", lambda: gzip.compress(nifti(32767, 32767, 32767)), "application/gzip"),
        ("nifti zeros", lambda: gzip.compress(nifti(32767, 32767, 32767) + bytes(30 << 20), 9), "application/gzip"),
        ("gzip", lambda: gzip.compress(bytes(30 << 20), 9), "application/gzip"),
    ):
        yield Sent(f"picture {name}", "/v1/segment?model=bright", body, kind)


def las(points: int, length: int = 34) -> bytes:
    """A LAS 1.4 that is a header."""
    head = bytearray(375)
    head[:4] = b"LASF"
    struct.pack_into("<BB", head, 24, 1, 4)
    struct.pack_into("<HIIBHI", head, 94, 375, 375, 0, 6, length, min(points, 2**32 - 1))
    struct.pack_into("<6d", head, 131, *[0.001] * 3, *[0.0] * 3)
    struct.pack_into("<Q", head, 247, points)
    return bytes(head) + bytes(1000)


def npy(shape: str) -> bytes:
    """A NumPy file that is a header."""
    head = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + bytes(100)


def _clouds() -> Iterator[Sent]:
    ply = "ply\nformat {} 1.0\nelement vertex 4000000000\n"
    ply += "property float x\nproperty float y\nproperty float z\nend_header\n"
    pcd = "VERSION .7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH {0}\nHEIGHT 1\nPOINTS {0}\nDATA {1}\n"
    parts = "element vertex 10\nproperty list uint float x\nproperty float y\nproperty float z\nend_header\n"
    for name, body in (
        ("scan.las", lambda: las(4_000_000_000)),
        ("few.las", lambda: las(5_000_000)),
        ("record.las", lambda: las(1000, 65535)),
        ("none.las", lambda: las(1000, 0)),
        ("scan.laz", lambda: las(4_000_000_000).replace(b"\x06\x22", b"\x86\x22", 1)),
        ("a.ply", lambda: ply.format("binary_little_endian").encode() + bytes(1000)),
        ("b.ply", lambda: ply.format("ascii").encode() + b"0 0 0\n"),
        ("c.ply", lambda: b"ply\nformat binary_little_endian 1.0\n" + parts.encode() + b"\xff" * 200),
        ("a.pcd", lambda: pcd.format(4_000_000_000, "binary").encode() + bytes(1000)),
        ("b.pcd", lambda: pcd.format(1000, "binary_compressed").encode() + struct.pack("<II", 2**32 - 1, 2**32 - 1)),
        ("c.pcd", lambda: pcd.format(10**30, "ascii").encode()),
        ("a.npz", lambda: zip_of({"points.npy": npy("(1000000000000, 3)")})),
        ("b.npz", lambda: zip_of({"points.npy": bytes(30 << 20)})),
        ("c.npz", lambda: zip_of({"points.npy": npy("(-1, 3)")})),
        ("a.txt", lambda: b"1 " * 5_000_000),
        ("a.csv", lambda: b"x,y,z\n" + b"9" * 5_000_000),
    ):
        yield Sent(f"cloud {name}", f"/v1/pointclouds/segment?name={name}", body)


def box(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    """A part of an MP4 file, with a length of its own."""
    return struct.pack(">I", (len(content) + 8) if length is None else length) + kind + content


def mp4() -> bytes:
    """A clip whose parts say that they are larger, and have more parts, than the file."""
    table = box(b"stsz", struct.pack(">III", 0, 0, 2**32 - 1)) + box(b"stts", struct.pack(">II", 0, 2**32 - 1))
    inside = box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table)))))
    return box(b"ftyp", b"isom\0\0\0\1isom") + inside + box(b"mdat", bytes(MP4_PARTS), 2**31)


def _jobs() -> Iterator[Sent]:
    for name, body in (
        ("a.zip", lambda: zip_of({"a.png": bytes(30 << 20)})),
        ("lies.zip", lying_zip),
        ("in.zip", zip_in_zip),
        ("up.zip", lambda: zip_of({"../../../../tmp/intarsia-climbed.png": b"x"})),
        ("bad.zip", lambda: b"PK\x03\x04" + bytes(1000)),
        ("a.tif", lambda: tiff(2**31, 2**31)),
        ("b.tif", lambda: tiff(60_000, 60_000)),
        ("a.nii", lambda: nifti(32767, 32767, 32767)),
        ("a.nii.gz", lambda: gzip.compress(nifti(2000, 2000, 2000) + bytes(70 << 20), 9)),
        ("a.mp4", mp4),
        ("b.mp4", lambda: box(b"ftyp", b"isom") * MP4_PARTS),
        ("a.las", lambda: las(4_000_000_000)),
        ("a.png", lambda: bomb(30_000)),
    ):
        yield Sent(f"job {name}", f"/v1/jobs?model=bright&name={name}", body)
