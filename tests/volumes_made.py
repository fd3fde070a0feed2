"""Making small volumes, for the tests of NIfTI files and DICOM series."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from numpy.typing import NDArray

AFFINE = np.array([[1.5, 0, 0, -20], [0, 1.25, 0, 30], [0, 0, 4, -100], [0, 0, 0, 1]])


def write_nifti(
    path: Path,
    values: NDArray,
    affine: NDArray | None = AFFINE,
    *,
    codes: str = "RAS",
    names: dict[int, str] | None = None,
) -> Path:
    """A NIfTI file whose stored axes go in other directions than the array's (right, front, up)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(values, affine)
    if affine is not None and codes != "RAS":
        image = image.as_reoriented(ornt_transform(io_orientation(affine), axcodes2ornt(codes)))
    if names:
        rows = "".join(f'<Label Key="{key}" Red="1"><![CDATA[{name}]]></Label>' for key, name in names.items())
        table = (
            f"<CaretExtension><VolumeInformation><LabelTable>{rows}</LabelTable></VolumeInformation></CaretExtension>"
        )
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(0, table.encode()))
    nibabel.save(image, path)
    return path


def body(shape: tuple[int, int, int] = (14, 12, 9), seed: int = 0) -> tuple[NDArray, NDArray]:
    """A CT-like volume in Hounsfield units, and labels: air and fat 0, an organ 1, a lesion in it 2."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint8)
    x, y, z = (int(random.integers(2, side - 5)) for side in shape)
    labels[x : x + 4, y : y + 4, z : z + 4] = 1
    labels[x + 1 : x + 3, y + 1 : y + 2, z + 1 : z + 3] = 2
    values = np.array([-900, 60, 180], np.int16)[labels]
    return values + random.integers(-9, 10, shape).astype(np.int16), labels


def write_series(
    folder: Path,
    values: NDArray,
    *,
    spacing: tuple[float, float, float] = (0.5, 0.75, 2.0),
    directions: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
    uid: str = "1.2.3",
    skip: tuple[int, ...] = (),
    order: str = "backwards",
) -> Path:
    """A DICOM series of (slices, rows, columns) values in Hounsfield units; file names do not follow the positions."""
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    folder.mkdir(parents=True, exist_ok=True)
    normal = np.cross(directions[:3], directions[3:])
    for index, plane in enumerate(values):
        if index in skip:
            continue
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = f"{uid}.{index + 1}"
        one = pydicom.Dataset()
        one.file_meta = meta
        one.SOPClassUID, one.SOPInstanceUID = CTImageStorage, f"{uid}.{index + 1}"
        one.SeriesInstanceUID, one.Modality, one.SeriesDescription = uid, "CT", "made for a test"
        one.Rows, one.Columns = plane.shape
        one.PixelSpacing, one.SliceThickness = [spacing[0], spacing[1]], spacing[2]
        one.ImageOrientationPatient = list(map(float, directions))
        one.ImagePositionPatient = [float(value) for value in np.array([-10, 20, 5]) + normal * spacing[2] * index]
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.BitsAllocated = one.BitsStored = 16
        one.HighBit, one.PixelRepresentation = 15, 0
        one.RescaleSlope, one.RescaleIntercept = 2, -1024
        one.PixelData = ((plane.astype(np.int32) + 1024) // 2).astype("<u2").tobytes()
        number = len(values) - index if order == "backwards" else index
        one.save_as(folder / f"{uid}-{number:03d}.dcm", enforce_file_format=True)
    return folder
