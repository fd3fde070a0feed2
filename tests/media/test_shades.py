"""Files whose numbers are no 8-bit shades: Netpbm's own ranges, colour tables, bytes of padding, DICOM's tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from intarsia.media.images import open_image
from intarsia.media.maskfile import read_mask_file

LABELS = np.random.default_rng(0).integers(0, 4, (12, 18)).astype(np.uint8)
GRAY = np.random.default_rng(1).integers(0, 256, (12, 18)).astype(np.uint8)


def stored(path: Path) -> NDArray[Any]:
    return read_mask_file(path, str(path), 10_000).values


@pytest.mark.parametrize("highest", [3, 20, 254, 255, 300, 1000, 65535])
@pytest.mark.parametrize("plain", [False, True])
def test_netpbm_masks_hold_what_is_stored(tmp_path: Path, highest: int, plain: bool) -> None:
    labels = np.minimum(LABELS.astype(np.uint16) * (highest // 3), highest)
    head = f"P{2 if plain else 5}\n18 12\n{highest}\n".encode()
    packed = labels.astype("u1" if highest < 256 else ">u2").tobytes()
    text = "\n".join(" ".join(map(str, row)) for row in labels).encode()
    (tmp_path / "a.pgm").write_bytes(head + (text if plain else packed))
    assert (stored(tmp_path / "a.pgm") == labels).all()


def test_netpbm_photos_reach_from_black_to_white(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5\n18 12\n3\n" + LABELS.tobytes())
    assert (open_image(tmp_path / "a.pgm").read() == (LABELS * 85)[..., None]).all()


def test_a_table_of_16_bit_numbers(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("rasterio")
    table = np.zeros((3, 65536), np.uint16)
    table[0, 1] = table[1, 2] = table[2, 3] = 65535
    tifffile.imwrite(tmp_path / "a.tif", LABELS.astype(np.uint16), photometric="palette", colormap=table)
    assert (stored(tmp_path / "a.tif") == LABELS).all()


@pytest.mark.parametrize("suffix", [".bmp", ".tga"])
def test_a_fourth_byte_of_0_throughout_is_padding(tmp_path: Path, suffix: str) -> None:
    file, samples = tmp_path / f"a{suffix}", np.dstack([GRAY, GRAY // 2, GRAY // 3, np.zeros_like(GRAY)])

    def write() -> None:  # only OpenCV says that a BMP has transparency
        Image.fromarray(samples).save(file)
        if suffix == ".bmp":
            cv2.imwrite(str(file), samples[..., [2, 1, 0, 3]])

    write()
    assert (open_image(file).read() == samples[..., :3]).all()
    samples[0, 0, 3] = 255  # now it says something
    write()
    assert (open_image(file).read()[1:] == 255).all()


def write_dicom(path: Path, **fields: Any) -> Path:
    pydicom = pytest.importorskip("pydicom")
    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    image = pydicom.dataset.FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID, image.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    image.Rows, image.Columns = GRAY.shape
    image.SamplesPerPixel, image.PixelRepresentation, image.PhotometricInterpretation = 1, 0, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelData = 7, GRAY.tobytes()
    image["PixelData"].VR = "OB"
    for name, value in fields.items():
        setattr(image, name, value)
    pydicom.dcmwrite(path, image, enforce_file_format=True)
    return path


@pytest.mark.parametrize("step", [257, 1])
def test_dicom_colours_come_from_its_table(tmp_path: Path, step: int) -> None:
    tables = {"Red": np.arange(256), "Green": np.arange(256)[::-1], "Blue": np.zeros(256)}
    fields: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name, table in tables.items():
        fields[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        fields[f"{name}PaletteColorLookupTableData"] = (table * step).astype("<u2").tobytes()
    shown = open_image(write_dicom(tmp_path / "a.dcm", **fields)).read()
    assert (shown == np.dstack([GRAY, 255 - GRAY, np.zeros_like(GRAY)])).all()


@pytest.mark.parametrize("rescaled", [{}, {"RescaleSlope": 1, "RescaleIntercept": 0}])
def test_dicom_shades_come_from_its_table(tmp_path: Path, rescaled: dict[str, int]) -> None:
    pydicom = pytest.importorskip("pydicom")
    curve = pydicom.Dataset()
    curve.LUTDescriptor, curve.LUTData = [256, 0, 16], (np.arange(256)[::-1] * 257).tolist()
    curve["LUTData"].VR = "US"
    reader = open_image(write_dicom(tmp_path / "a.dcm", VOILUTSequence=pydicom.Sequence([curve]), **rescaled))
    assert (reader.read() == 255 - GRAY[..., None]).all()
    assert "as its own table says" in " ".join(reader.notes)


def test_infrared_in_a_16_bit_tiff_is_no_transparency(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    colours = np.dstack([GRAY, GRAY // 2, 255 - GRAY])
    deep = np.dstack([colours, GRAY // 3]).astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", extrasamples=["unspecified"])
    assert (open_image(tmp_path / "a.tif").read() == colours).all()


def test_16_bit_colours_that_hold_their_transparency(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    colours = np.dstack([GRAY, GRAY // 2, 255 - GRAY]).astype(int) * 257
    clear = np.where(np.arange(18) < 9, 65535, 32768) * np.ones((12, 1), int)
    premultiplied = np.dstack([np.rint(colours * clear[..., None] / 65535), clear]).astype(np.uint16)
    plain = np.dstack([colours, clear]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", premultiplied, photometric="rgb", extrasamples=["assocalpha"])
    tifffile.imwrite(tmp_path / "b.tif", plain, photometric="rgb", extrasamples=["unassalpha"])
    apart = open_image(tmp_path / "a.tif").read().astype(int) - open_image(tmp_path / "b.tif").read()
    assert np.abs(apart).max() <= 1


def test_a_transparent_level_of_a_16_bit_png_is_white(tmp_path: Path) -> None:
    Image.fromarray(GRAY.astype(np.uint16) * 257).save(tmp_path / "a.png", transparency=int(GRAY[0, 0]) * 257)
    shown = open_image(tmp_path / "a.png").read()
    assert (shown == np.where(GRAY[0, 0] == GRAY, 255, GRAY)[..., None]).all()
