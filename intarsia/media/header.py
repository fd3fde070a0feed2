"""Opening image files by their header: what the file is, and whether it may be decoded."""

from __future__ import annotations

import io
import itertools
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TgaImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from intarsia.errors import DataError, IntarsiaError
from intarsia.files import reason
from intarsia.media.bounded import BoundedFile
from intarsia.media.dicom import begins_as_dicom
from intarsia.media.dicompicture import picture
from intarsia.media.framecount import check_gif, check_tiff

# Importing a plugin registers its format with Pillow; nothing outside this table is ever parsed.
_FORMATS: dict[type[Image.Image], tuple[str, ...]] = {
    JpegImagePlugin.JpegImageFile: (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    PngImagePlugin.PngImageFile: (".png", ".apng"),
    TiffImagePlugin.TiffImageFile: (".tif", ".tiff"),
    WebPImagePlugin.WebPImageFile: (".webp",),
    BmpImagePlugin.BmpImageFile: (".bmp",),
    GifImagePlugin.GifImageFile: (".gif",),
    PpmImagePlugin.PpmImageFile: (".ppm", ".pgm", ".pbm", ".pnm"),
    Jpeg2KImagePlugin.Jpeg2KImageFile: (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    AvifImagePlugin.AvifImageFile: (".avif", ".avifs"),
    BmpImagePlugin.DibImageFile: (".dib",),
    TgaImagePlugin.TgaImageFile: (".tga",),
}
_BY_NAME = (BmpImagePlugin.DibImageFile, TgaImagePlugin.TgaImageFile)  # nothing of their own begins such files

DICOM_SUFFIXES = (".dcm", ".dicom")
IMAGE_SUFFIXES = (*(suffix for suffixes in _FORMATS.values() for suffix in suffixes), *DICOM_SUFFIXES)
"""Every suffix of a picture that is read: what the decoder knows is what folders and data sets look for."""

FOREIGN_SUFFIXES = (
    ".heic", ".heif", ".hif", ".jxl", ".psd", ".svg", ".exr", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2",
    ".raf", ".pef", ".srw",
)  # fmt: skip
"""Suffixes of pictures that are not read, so that folders can say what they leave out."""

# A blank photo of 8 bits a channel compresses about a thousandfold with deflate, so nothing real is refused.
BOMB_PIXELS = 40_000_000
BOMB_PIXELS_PER_BYTE = 1500

_ORIENTATION = 0x0112
_NEW_SUBFILE_TYPE, _SUBFILE_TYPE = 254, 255
_REDUCED, _MASK = 0b1, 0b100

# Most photos are read by one call to the system, where decoders would ask for a few kilobytes at a time.
_BUFFER = 1 << 18

# First bytes of files that are mistaken for images, and what to do about them.
_LOOKALIKES = (
    (b"%PDF", "a PDF document; export its page as PNG or JPEG"),
    (b"PK\x03\x04", "a zip archive or office document; unpack it and name the pictures inside"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"Rar!", "a rar archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"8BPS", "a Photoshop document; export it as PNG or JPEG"),
    (b"\x89HDF", "an HDF5 file; save its picture as PNG or TIFF"),
    (b"\x93NUMPY", "a NumPy array; load it with numpy.load and pass the array"),
    (b"#?RADIANCE", "an HDR picture of Radiance; tone-map it and save it as PNG or JPEG"),
    (b"#?RGBE", "an HDR picture of Radiance; tone-map it and save it as PNG or JPEG"),
    (b"v/1\x01", "an HDR picture (OpenEXR); tone-map it and save it as PNG or JPEG"),
    (b"ENVI", "the header of an ENVI raster; convert it (gdal_translate IN OUT.tif)"),
    (b"EHFA_HEADER_TAG", "a raster of Erdas Imagine; convert it (gdal_translate IN OUT.tif)"),
    (b"RIFF", "an audio or video file, not a picture"),
    (b"\x1aE\xdf\xa3", "a video; name it .mkv or .webm to have it segmented as one"),
    (b"version https://git-lfs", "a Git LFS pointer, not the picture itself; run: git lfs pull"),
)


@contextmanager
def opened(source: Path | bytes | Image.Image, name: str) -> Iterator[Image.Image]:
    """Open an image without decoding it, and turn whatever goes wrong inside the block into a `DataError`.

    Pillow's own check against decompression bombs is not used, because it can only be set for the whole process;
    call `check_size` before decoding.

    Raises:
        DataError: missing, empty, not an image, truncated or corrupt; the message names the file and the remedy.
    """
    try:
        if isinstance(source, Image.Image):
            yield source
        elif isinstance(source, bytes):
            with _identify(io.BytesIO(source), name) as image:
                yield image
        else:
            with _open_file(source, name) as file, _identify(file, name) as image:
                yield image
    except IntarsiaError:
        raise
    except Exception as error:
        # Decoders raise almost any exception on damaged data; each of them means that this file cannot be used.
        reason = str(error).strip(". ") or type(error).__name__
        if isinstance(error, SyntaxError) and "unknown pixel mode" in reason:
            raise DataError(
                f"cannot read {name}: its samples (floats, more than 16 bits or rare mixtures) are none of a photo "
                "here; save it with 8 or 16 bits a channel; of a map, a georeference makes it a raster"
            ) from error
        raise DataError(
            f"cannot read {name}: the file is truncated or corrupt ({reason}); copy or export it again"
        ) from error


def check_size(image: Image.Image, name: str, source_bytes: int | None, max_pixels: int) -> None:
    """Refuse pictures that are too large to decode, by their header alone.

    Args:
        image: an opened, not yet decoded picture.
        name: what to call it in messages.
        source_bytes: size of the compressed file, None when there is no file.
        max_pixels: largest accepted number of pixels.

    Raises:
        DataError: no pixels, too many, or a decompression bomb.
    """
    width, height = image.size
    pixels = width * height
    if pixels == 0:
        raise DataError(f"cannot read {name}: the picture is {width}x{height}, it has no pixels")
    if source_bytes and pixels > BOMB_PIXELS and pixels > BOMB_PIXELS_PER_BYTE * source_bytes:
        raise DataError(
            f"refused {name}: its {source_bytes:,} bytes would decode to {width}x{height} pixels, as only "
            "decompression bombs and blank pages do; if it is genuine, save it again at a smaller size"
        )
    if pixels > max_pixels:
        raise DataError(
            f"refused {name}: {width}x{height} is {pixels / 1e6:.0f} megapixels, the limit is {max_pixels / 1e6:.0f}; "
            "cut it into parts, or raise max_pixels if the memory is there"
        )


def check_frames(image: Image.Image, name: str) -> None:
    """Refuse animations and documents of several pages, and turn to the page that is the picture.

    What only accompanies a picture does not count: reduced copies and transparency masks among a TIFF's pages, and the
    further pictures of an MPO file (previews and depth maps that cameras append to a JPEG).

    Raises:
        DataError: more than one frame; the message says how many.
    """
    frames = own_frames(image)
    if len(frames) > 1:
        kind = "pages" if image.format == "TIFF" else "frames"
        raise DataError(
            f"cannot read {name}: it holds {len(frames)} {kind}, not one picture; save each as its own file"
        )
    if frames[0] != image.tell():
        image.seek(frames[0])


def own_frames(image: Image.Image) -> tuple[int, ...]:
    """Number, from 0, the frames of an opened picture that are not copies of others; at least one.

    A TIFF marks its pages in NewSubfileType (bit 0: reduced resolution, bit 2: transparency mask) or the older
    SubfileType (2: reduced); see TIFF 6.0, section 8.
    """
    if image.format == "MPO":
        return (0,)
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return tuple(range(int(getattr(image, "n_frames", 1))))
    own = [page for page, kind in enumerate(_kinds(image)) if not kind & (_REDUCED | _MASK)]
    return tuple(own) or (0,)


def has_mask_page(image: Image.Image) -> bool:
    """Tell whether a page of a TIFF says where another one holds anything."""
    return isinstance(image, TiffImagePlugin.TiffImageFile) and any(kind & _MASK for kind in _kinds(image))


def _kinds(image: TiffImagePlugin.TiffImageFile) -> list[int]:
    """The NewSubfileType of each page."""
    at = image.tell()
    kinds = []
    for page in itertools.count():
        try:
            image.seek(page)
        except EOFError:
            break
        except SyntaxError:
            pass  # pixels that Pillow does not know, as of a mask: the page's tags are read all the same
        tags = image.tag_v2
        kinds.append(int(tags.get(_NEW_SUBFILE_TYPE, 0)) | (_REDUCED if tags.get(_SUBFILE_TYPE) == 2 else 0))
    image.seek(at)
    return kinds


def has_frames(source: object, suffixes: Sequence[str]) -> bool:
    """Tell whether a name with one of these suffixes stands for a picture file of several frames (or pages)."""
    if not isinstance(source, str | os.PathLike) or os.path.splitext(source)[1].lower() not in suffixes:
        return False
    try:
        with opened(Path(source), os.fspath(source)) as image:
            return len(own_frames(image)) > 1
    except DataError:
        return False


def orientation(image: Image.Image) -> int:
    """EXIF orientation (1..8) of a picture; 1 when there is none or the EXIF block is unreadable."""
    try:
        if image.format == "PNG" and "exif" not in image.info and getattr(image, "tile", None):
            _find_late_exif(image)
        # Not the PNG reader's own `getexif`, which decodes the whole picture to look for a late block.
        value = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except Exception:
        # A broken EXIF block says nothing about the pixels; every viewer shows such photos as they are stored.
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def check_sums(image: Image.Image) -> None:
    """Compare the pixels of an opened PNG file, as they are packed, with their checksums, which Pillow does not.

    Without, a flipped bit in a mask is other classes, and nobody is told.

    Raises:
        OSError: they differ, or the file ends before them.
    """
    file: IO[bytes] | None = getattr(image, "fp", None)
    if image.format != "PNG" or file is None:
        return
    position = file.tell()
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind not in (b"IDAT", b"fdAT"):  # the others Pillow compares itself, or they are no pixels
            file.seek(length + 4, os.SEEK_CUR)
            continue
        found = zlib.crc32(kind)
        while length > 0 and (block := file.read(min(length, _BUFFER))):
            found, length = zlib.crc32(block, found), length - len(block)
        if file.read(4) != found.to_bytes(4, "big"):
            raise OSError("the checksum of its pixels does not match")
    file.seek(position)


def _find_late_exif(image: Image.Image) -> None:
    """Add the EXIF block that follows a PNG file's pixels to `image.info`, by hopping from chunk to chunk."""
    file: IO[bytes] = image.fp  # type: ignore[attr-defined]
    position = file.tell()
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"eXIf":
            image.info["exif"] = b"Exif\0\0" + file.read(length)
            break
        file.seek(length + 4, os.SEEK_CUR)  # the chunk's data and its checksum
    file.seek(position)


def _open_file(path: Path, name: str) -> BinaryIO:
    try:
        if path.is_fifo():  # opening one waits for a writer, for ever where none comes
            raise DataError(f"cannot read {name}: it is a pipe, no file; save it first, or pipe it into - instead")
        return BoundedFile(path, _BUFFER)
    except FileNotFoundError:
        raise DataError(f"cannot read {name}: no such file") from None
    except IsADirectoryError:
        raise DataError(f"cannot read {name}: it is a folder, not an image") from None
    except PermissionError:
        raise DataError(f"cannot read {name}: permission denied") from None
    except OSError as error:
        raise DataError(f"cannot read {name}: {reason(error)}") from error


def _identify(file: BinaryIO, name: str) -> Image.Image:
    prefix = file.read(132)
    if not prefix:
        raise DataError(f"cannot read {name}: the file is empty (0 bytes); copy or download it again")
    for plugin, suffixes in _FORMATS.items():
        registered = Image.OPEN.get(str(plugin.format))
        if registered is None:
            continue  # this build of Pillow lacks the codec
        factory, accept = registered
        named = plugin not in _BY_NAME or name.lower().endswith(suffixes)
        if named and (accept is None or accept(prefix) is True):
            file.seek(0)
            if plugin is GifImagePlugin.GifImageFile:
                check_gif(file)
            elif plugin is TiffImagePlugin.TiffImageFile:
                check_tiff(file)
            # Without the file's name Pillow does not map it into memory, which crashes if the file shrinks meanwhile.
            return factory(file, "")
    if begins_as_dicom(prefix):
        file.seek(0)
        return picture(file, name)
    raise DataError(f"cannot read {name}: it is not an image that Intarsia reads; {_looks_like(prefix[:64])}")


def _looks_like(prefix: bytes) -> str:
    if prefix[8:12] == b"WEBP":
        return "it looks like a WebP picture with a damaged header; copy or export it again"
    for magic, description in _LOOKALIKES:
        if prefix.startswith(magic):
            return f"it looks like {description}"
    if prefix[4:8] == b"ftyp":
        if prefix[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
            return "it looks like a HEIC photo; convert it to JPEG or PNG"
        return "it looks like a video, and a picture is needed; where videos are taken, its name ends in .mp4"
    head = prefix.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "it looks like a web page (HTML), perhaps saved instead of the download"
    if head.startswith(b"<svg"):
        return "it looks like an SVG drawing; export it as PNG"
    if head.startswith(b"<vrtdataset"):
        return "it looks like a virtual raster (VRT), which only names others; write it out (gdal_translate IN OUT.tif)"
    if head.startswith(b"<"):
        return "it looks like XML text"
    if head.startswith((b"{", b"[")):
        return "it looks like JSON text"
    if all(byte in b"\t\r\n" or byte >= 32 for byte in prefix) and not prefix.isspace():
        return "it looks like a text file"
    known = "PNG, JPEG, TIFF, WebP, BMP, GIF, PPM, TGA, AVIF, JP2 and DICOM"
    return f"its first bytes are {prefix[:8].hex(' ')}; supported are {known}"


def file_size(path: Path) -> int | None:
    """Bytes of a file, None when it cannot be asked."""
    try:
        return os.stat(path).st_size
    except OSError:
        return None
