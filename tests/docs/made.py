"""What pages need: files of each kind, small, from samples of the package or drawn."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

SAMPLES = Path(__file__).parents[2] / "intarsia" / "serving" / "samples"


def _sample(name: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SAMPLES / name, path)

    return make


def _photos(folder: Path) -> None:
    for number, name in enumerate(("coffee.jpg", "astronaut.jpg")):
        _sample(name)(folder / f"{number}.jpg")


def _scenes(folder: Path) -> None:
    from intarsia.datasets.synthetic import write_scenes

    write_scenes(folder, 8, (64, 96))


def _coins(folder: Path) -> None:
    """Photographs with LabelMe files beside them: cut-outs of the demo's."""
    from PIL import Image

    from intarsia.apps.demo import write_coins

    write_coins(folder, np.asarray(Image.open(SAMPLES / "coins.jpg").convert("L").resize((384, 303))))
    files = sorted((folder / "train").glob("*.*"))
    for file in files[6:]:
        file.unlink()
    for file in [*files[:6], *(folder / "val").glob("*.*")]:
        file.rename(folder / file.name)
    for split in ("train", "val"):
        (folder / split).rmdir()


def _black_masks(folder: Path) -> None:
    """Scenes whose masks hold 0 and 1, and look black."""
    from PIL import Image

    _scenes(folder)
    for mask in (folder / "masks").iterdir():
        labels = np.asarray(Image.open(mask))
        Image.fromarray((labels == 3).astype(np.uint8)).save(mask)
    (folder / "classes.txt").unlink()


def _coloured(folder: Path) -> None:
    _jpeg_masks(folder)
    from PIL import Image

    from intarsia.datasets.synthetic import SCENE, draw_scene

    for number, mask in enumerate(sorted((folder / "masks").iterdir())):
        labels = draw_scene((64, 96), np.random.default_rng([0, number]))[1]
        Image.fromarray(SCENE.colors()[labels]).save(mask.with_suffix(".png"))
        mask.unlink()


def _other_sizes(folder: Path) -> None:
    from PIL import Image

    _scenes(folder)
    for mask in (folder / "masks").iterdir():
        Image.open(mask).resize((48, 32), Image.Resampling.NEAREST).save(mask)


def _ignored(folder: Path) -> None:
    from PIL import Image

    _scenes(folder)
    for mask in (folder / "masks").iterdir():
        labels = np.array(Image.open(mask))
        labels[:8] = 255
        Image.fromarray(labels).save(mask)


def _deep(folder: Path) -> None:
    """Photographs of 12 bits in files of 16."""
    from PIL import Image

    _scenes(folder)
    for photo in (folder / "images").iterdir():
        grey = np.asarray(Image.open(photo).convert("L")).astype(np.uint16) * 16
        Image.fromarray(grey).save(photo)


def _table(path: Path) -> None:
    random = np.random.default_rng(0)
    places, ones = random.uniform(0, 30, (800, 3)) * (1, 1, 0.01), np.ones((800, 2))
    points = np.column_stack([places, random.integers(200, 900, 800), ones])
    np.savetxt(path, points, fmt="%.2f", delimiter=",")


def _plain_tiff(path: Path) -> None:
    from PIL import Image

    Image.fromarray(aerial(0)[0]).save(path)


def _xray(folder: Path) -> None:
    """A DICOM picture that is no slice of a scan."""
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

    folder.mkdir(parents=True)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ComputedRadiographyImageStorage, "1.2.3"
    file = pydicom.Dataset()
    file.file_meta, file.SOPClassUID, file.SOPInstanceUID = meta, ComputedRadiographyImageStorage, "1.2.3"
    file.Modality, file.SamplesPerPixel, file.PhotometricInterpretation = "CR", 1, "MONOCHROME2"
    pixels = np.clip(body(0)[0][..., 0].astype(np.int32) + 1000, 0, 4095).astype("<u2")
    file.Rows, file.Columns = pixels.shape
    file.BitsAllocated, file.BitsStored, file.HighBit, file.PixelRepresentation = 16, 12, 11, 0
    file.PixelData = pixels.tobytes()
    file.save_as(folder / "xray.dcm", enforce_file_format=True)


def _clip(path: Path) -> None:
    from filmed import write_clip

    from intarsia.datasets.synthetic import draw_scene

    wide = draw_scene((72, 160), np.random.default_rng(0))[0]
    write_clip(path, [np.ascontiguousarray(wide[:, left : left + 96]) for left in range(0, 12, 3)], rate=8)


def _scan(path: Path) -> None:
    """A house on a meadow, seen from the air."""
    import laspy

    random = np.random.default_rng(0)
    xyz = random.uniform((0, 0, 0), (40, 40, 0.1), (4000, 3))
    roof = (abs(xyz[:, 0] - 20) < 6) & (abs(xyz[:, 1] - 20) < 8)
    xyz[roof, 2] += 7 - 0.4 * abs(xyz[roof, 0] - 20)
    cloud = laspy.create(point_format=6, file_version="1.4")
    cloud.header.scales = [0.01] * 3
    cloud.x, cloud.y, cloud.z = xyz.T
    cloud.intensity = random.integers(200, 900, len(xyz)).astype(np.uint16)
    path.parent.mkdir(parents=True, exist_ok=True)
    cloud.write(path)


def _labelled_scans(folder: Path) -> None:
    import laspy

    for split, names in (("train", "ab"), ("val", "c")):
        for name in names:
            path = folder / split / f"{name}.laz"
            _scan(path)
            cloud = laspy.read(path)
            cloud.classification = np.where(np.asarray(cloud.z) > 1, 6, 2).astype(np.uint8)
            cloud.write(path)


def _volume(path: Path) -> None:
    """A body in Hounsfield units with an organ in it."""
    import nibabel

    values, _ = body(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([1.5, 1.5, 4, 1])), path)


def body(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    shape = (48, 40, 6)
    x, y = np.mgrid[:48, :40]
    inside = ((x - 24) / 20) ** 2 + ((y - 20) / 16) ** 2 < 1
    organ = (x - 30) ** 2 + (y - 20) ** 2 < 64
    values = np.where(inside, 40, -900)[..., None] + np.where(organ, 70, 0)[..., None] + random.normal(0, 12, shape)
    return values.astype(np.int16), np.repeat(organ[..., None], 6, axis=2).astype(np.uint8)


def _volumes(folder: Path) -> None:
    import nibabel

    for number in range(3):
        values, labels = body(number)
        for kind, array in (("images", values), ("labels", labels)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            file = folder / kind / f"case{number}.nii.gz"
            nibabel.save(nibabel.Nifti1Image(array, np.diag([1.5, 1.5, 4, 1])), file)
    (folder / "classes.txt").write_text("background\nliver\n")


def _map(path: Path) -> None:
    import rasterio
    from rasterio.transform import from_origin

    picture, _ = aerial(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", width=160, height=128, count=3, dtype="uint8", crs="EPSG:25832",
        transform=from_origin(500_000, 5_400_000, 0.5, 0.5), photometric="RGB",
    ) as file:  # fmt: skip
        file.write(picture.transpose(2, 0, 1))


def aerial(seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.zeros((128, 160), np.uint8)
    for _ in range(6):
        top, left = random.integers(4, 90, 2)
        labels[top : top + random.integers(14, 30), left : left + random.integers(14, 30)] = 1
    colours = np.array([(90, 130, 70), (190, 90, 70)])[labels]
    return np.clip(colours + random.normal(0, 12, colours.shape), 0, 255).astype(np.uint8), labels


def _maps(folder: Path) -> None:
    import rasterio
    from rasterio.transform import from_origin

    for number in range(4):
        picture, labels = aerial(number)
        place = from_origin(500_000 + 100 * number, 5_400_000, 0.5, 0.5)
        for kind, bands in (("images", picture.transpose(2, 0, 1)), ("gt", labels[None] * 255)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            with rasterio.open(
                folder / kind / f"area{number}.tif", "w", driver="GTiff", width=160, height=128, count=len(bands),
                dtype="uint8", crs="EPSG:25832", transform=place,
            ) as file:  # fmt: skip
                file.write(bands)
    (folder / "classes.txt").write_text("ground\nbuilding\n")


def _jpeg_masks(folder: Path) -> None:
    from PIL import Image

    from intarsia.datasets.synthetic import SCENE

    _scenes(folder)
    for mask in (folder / "masks").iterdir():
        Image.open(mask).convert("RGB").save(mask.with_suffix(".jpg"), quality=95)
        mask.unlink()
    colours = SCENE.colors()
    lines = [f"{r} {g} {b} {name}" for name, (r, g, b) in zip(SCENE.names, colours.tolist(), strict=False)]
    (folder / "classes.txt").write_text("\n".join(lines) + "\n")


MADE: dict[str, Callable[[Path], None]] = {
    "photo.jpg": _sample("astronaut.jpg"),
    "me.jpg": _sample("astronaut.jpg"),
    "coins.jpg": _sample("coins.jpg"),
    "photos": _photos,
    "my-data": _scenes,
    "more-data": _scenes,
    "labelled": _coins,
    "black": _black_masks,
    "jpeg-masks": _jpeg_masks,
    "coloured": _coloured,
    "sizes": _other_sizes,
    "ignored": _ignored,
    "deep": _deep,
    "clip.mp4": _clip,
    "scan.laz": _scan,
    "scans": _labelled_scans,
    "ct.nii.gz": _volume,
    "ct": _volumes,
    "map.tif": _map,
    "plain.tif": _plain_tiff,
    "points.csv": _table,
    "dicom": _xray,
    "maps": _maps,
}
"""From names of files and folders to what makes them."""
