"""Volumes in the formats of other programs: NRRD, MetaImage, Analyze, FreeSurfer, misnamed NIfTI, DICOM of all ages."""

from __future__ import annotations

import gzip
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest

nibabel = pytest.importorskip("nibabel", reason="volumes need intarsia[volumes]")

from volumes_made import AFFINE, write_nifti, write_series  # noqa: E402

from intarsia.datasets import open_dataset  # noqa: E402
from intarsia.errors import DataError  # noqa: E402
from intarsia.labels import LabelSpace  # noqa: E402
from intarsia.media.images import open_image, read_image  # noqa: E402
from intarsia.media.medium import PICTURE, VOLUME, expand, medium_of  # noqa: E402
from intarsia.media.volumes import is_volume, open_volume, volume_stem  # noqa: E402

VALUES = np.arange(4 * 3 * 2, dtype=np.int16).reshape(4, 3, 2, order="F") - 5
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def nrrd(path: Path, *, encoding: str = "raw", detached: bool = False, extra: str = "", big: bool = False) -> Path:
    """VALUES on AFFINE, whose axes the header says in LPS."""
    steps = (LPS @ AFFINE)[:3]
    vectors = " ".join(f"({','.join(str(one) for one in steps[:, axis])})" for axis in range(3))
    origin = ",".join(str(one) for one in steps[:, 3])
    data = VALUES.astype(">i2" if big else "<i2").tobytes(order="F")
    data = {"gzip": gzip.compress(data), "ascii": b" ".join(b"%d" % one for one in VALUES.ravel(order="F"))}.get(
        encoding, data
    )
    lines = [
        "NRRD0004", "# made for a test", "type: short", "dimension: 3", "sizes: 4 3 2", f"encoding: {encoding}",
        f"endian: {'big' if big else 'little'}", "space: left-posterior-superior", f"space directions: {vectors}",
        f"space origin: ({origin})", *([f"data file: {path.stem}.raw"] if detached else []), *extra.splitlines(),
    ]  # fmt: skip
    header = "\n".join(lines).encode() + b"\n\n"
    path.write_bytes(header if detached else header + data)
    if detached:
        path.with_suffix(".raw").write_bytes(data)
    return path


def metaimage(path: Path, *, packed: bool = False, detached: bool = False) -> Path:
    steps = (LPS @ AFFINE)[:3]
    spacing = np.linalg.norm(steps[:, :3], axis=0)
    matrix = " ".join(str(one) for one in (steps[:, :3] / spacing).T.ravel())
    data = VALUES.tobytes(order="F")
    data = zlib.compress(data) if packed else data
    lines = [
        "ObjectType = Image", "NDims = 3", "BinaryData = True", "BinaryDataByteOrderMSB = False",
        f"CompressedData = {packed}", f"TransformMatrix = {matrix}",
        f"Offset = {' '.join(str(one) for one in steps[:, 3])}",
        f"ElementSpacing = {' '.join(str(one) for one in spacing)}", "DimSize = 4 3 2", "ElementType = MET_SHORT",
        f"ElementDataFile = {path.stem + '.raw' if detached else 'LOCAL'}",
    ]  # fmt: skip
    header = "\n".join(lines).encode() + b"\n"
    path.write_bytes(header if detached else header + data)
    if detached:
        path.with_suffix(".raw").write_bytes(data)
    return path


def check(path: Path, *, affine: bool = True) -> None:
    """The same voxels in the same place, whole and by slices, and labels written on the same grid."""
    assert is_volume(path) and medium_of(path) is VOLUME
    reader = open_volume(path)
    assert reader.grid.shape == VALUES.shape
    if affine:
        assert np.allclose(reader.grid.affine, AFFINE) and reader.notes == ()
    assert np.array_equal(np.concatenate([values for _, values in reader.slabs()], axis=2), VALUES)
    labels = (VALUES > 3).astype(np.uint8)
    reader.write(path.with_name("labels.nii.gz"), labels, LabelSpace(("no", "yes"), ((0, 0, 0), (9, 9, 9))))
    written = open_volume(path.with_name("labels.nii.gz"))
    assert np.array_equal(written.labels(), labels) and np.allclose(written.grid.affine, reader.grid.affine)


@pytest.mark.parametrize(
    "options", [{}, {"encoding": "gzip"}, {"encoding": "ascii"}, {"big": True}, {"detached": True}]
)
def test_nrrd(tmp_path: Path, options: dict) -> None:
    check(nrrd(tmp_path / ("a.nhdr" if options.get("detached") else "a.nrrd"), **options))


def test_names_of_segments_are_read(tmp_path: Path) -> None:
    said = "Segment0_Name:=liver\nSegment0_LabelValue:=3\nSegment1_Name:=spleen\nSegment1_LabelValue:=1"
    assert open_volume(nrrd(tmp_path / "a.seg.nrrd", extra=said)).class_names() == {3: "liver", 1: "spleen"}


@pytest.mark.parametrize("options", [{}, {"packed": True}, {"detached": True}])
def test_metaimage(tmp_path: Path, options: dict) -> None:
    check(metaimage(tmp_path / ("a.mhd" if options.get("detached") else "a.mha"), **options))


def test_pairs_and_freesurfer(tmp_path: Path) -> None:
    for kind, name, placed in (
        (nibabel.Nifti1Pair, "n.hdr", True),
        (nibabel.MGHImage, "m.mgz", True),
        (nibabel.AnalyzeImage, "a.hdr", False),
    ):
        nibabel.save(kind(VALUES, AFFINE), tmp_path / name)
        check(tmp_path / name, affine=placed)
    assert "the old Analyze format has no room for it" in open_volume(tmp_path / "a.hdr").notes[0]
    assert is_volume(tmp_path / "a.img") and open_volume(tmp_path / "a.img").grid.shape == VALUES.shape
    (tmp_path / "envi.hdr").write_text("ENVI\nsamples = 4\n")
    assert not is_volume(tmp_path / "envi.hdr")
    (tmp_path / "a.img").unlink()
    with pytest.raises(DataError, match=r"a\.hdr"):
        list(open_volume(tmp_path / "a.hdr").slabs())


@pytest.mark.parametrize("second", [False, True])
def test_nifti_whose_name_does_not_say_whether_it_is_packed(tmp_path: Path, second: bool) -> None:
    kind = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    nibabel.save(kind(VALUES, AFFINE), tmp_path / "a.nii")
    nibabel.save(kind(VALUES, AFFINE), tmp_path / "b.nii.gz")
    shutil.move(tmp_path / "a.nii", tmp_path / "plain.nii.gz")
    shutil.move(tmp_path / "b.nii.gz", tmp_path / "packed.nii")
    check(tmp_path / "plain.nii.gz")
    check(tmp_path / "packed.nii")


def test_what_cannot_be_used(tmp_path: Path) -> None:
    whole = nrrd(tmp_path / "a.nrrd").read_bytes()
    cases = {
        "short.nrrd": (whole[:-9], "holds|hold|missing"),
        "text.nrrd": (b"hello", "it is not a NRRD file"),
        "four.nrrd": (whole.replace(b"sizes: 4 3 2", b"sizes: 2 2 3 2"), "save one volume with three axes"),
        "block.nrrd": (whole.replace(b"type: short", b"type: block"), "its voxels are block, not numbers"),
        "zip.nrrd": (whole.replace(b"encoding: raw", b"encoding: zrl"), "its encoding is zrl"),
        "out.nhdr": (whole.replace(b"endian", b"data file: ../x.raw\nendian"), "does not lie beside it"),
        "gone.nhdr": (whole.replace(b"endian", b"data file: x.raw\nendian"), "which is missing"),
        "huge.nrrd": (whole.replace(b"sizes: 4 3 2", b"sizes: 999 999 999"), "truncated or forged"),
        "text.mha": (b"hello", "no ElementDataFile"),
        "rgb.mha": (metaimage(tmp_path / "m.mha").read_bytes().replace(b"MET_SHORT", b"MET_BLOB"), "not numbers"),
    }
    for name, (content, said) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=said) as caught:
            list(open_volume(tmp_path / name).slabs())
        assert name in str(caught.value)


def test_folders_and_data_sets_find_them(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    nrrd(tmp_path / "images" / "one.nrrd")
    metaimage(tmp_path / "images" / "two.mha")
    for name in ("one", "two"):
        write_nifti(tmp_path / "labels" / f"{name}.nii.gz", (VALUES > 3).astype(np.uint8), AFFINE)
    assert [Path(item.source).name for item in expand(tmp_path / "images").items] == ["one.nrrd", "two.mha"]
    assert [volume_stem(Path(name)) for name in ("a.nii.gz", "b.seg.nrrd", "c.mha")] == ["a", "b.seg", "c"]
    dataset = open_dataset(tmp_path, val_fraction=0)
    assert dataset.layout == "volumes" and len(dataset.split("all")) == 4


# --- DICOM ------------------------------------------------------------------------------------------------------------


def test_dicom_without_a_preamble(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    values = np.arange(3 * 6 * 8, dtype=np.int16).reshape(3, 6, 8) * 2
    whole = write_series(tmp_path / "whole", values)
    bare = tmp_path / "bare"
    bare.mkdir()
    for file in whole.iterdir():
        import pydicom

        dataset = pydicom.dcmread(file)
        del dataset.file_meta, dataset.preamble
        dataset.save_as(bare / file.name, enforce_file_format=False, implicit_vr=True, little_endian=True)
    assert (bare / "1.2.3-001.dcm").read_bytes()[128:132] != b"DICM"
    assert medium_of(bare / "1.2.3-001.dcm") is VOLUME
    assert [item.medium for item in expand(bare).items] == [VOLUME]
    first, second = (np.concatenate([v for _, v in open_volume(folder).slabs()], axis=2) for folder in (whole, bare))
    assert np.array_equal(first, second)


def xray(path: Path, values: np.ndarray, *, kind: str = "MONOCHROME2", window: tuple[int, int] | None = None) -> Path:
    """A DICOM picture without a place in the patient."""
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    one = pydicom.Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    one.file_meta.MediaStorageSOPInstanceUID = "1.2"
    one.SOPClassUID, one.SOPInstanceUID, one.Modality = DigitalXRayImageStorageForPresentation, "1.2", "DX"
    one.Rows, one.Columns = values.shape[:2]
    one.SamplesPerPixel, one.PhotometricInterpretation = (3, "RGB") if values.ndim == 3 else (1, kind)
    if values.ndim == 3:
        one.PlanarConfiguration = 0
    one.BitsAllocated = 8 * values.dtype.itemsize
    one.BitsStored = 12 if values.dtype == np.uint16 else 8
    one.HighBit, one.PixelRepresentation = one.BitsStored - 1, 0
    if window is not None:
        one.WindowCenter, one.WindowWidth = window
    one.PixelData = values.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    one.save_as(path, enforce_file_format=True)
    return path


def test_x_rays_are_pictures(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    ramp = np.linspace(0, 4080, 256).round().astype(np.uint16).reshape(8, 32)
    path = xray(tmp_path / "a.dcm", ramp, window=(2040, 4080))
    assert medium_of(path) is PICTURE and not is_volume(path)
    reader = open_image(path)
    assert np.abs(reader.read()[..., 0].astype(int) - np.arange(256).reshape(8, 32)).max() <= 1
    assert reader.notes == ("values 0 to 4080 become black to white, as its own window says; "
                            "--window names another range.",)  # fmt: skip
    darker = xray(tmp_path / "b.dcm", ramp, kind="MONOCHROME1", window=(2040, 4080))
    assert np.array_equal(read_image(darker), 255 - read_image(path))
    assert read_image(path, windows=((0, 8160),)).max() == 128
    own = open_image(xray(tmp_path / "c.dcm", ramp))
    assert own.read().min() == 0 and own.read().max() == 255 and "percentiles 0.5 and 99.5" in own.notes[0]
    colour = np.dstack([np.arange(12, dtype=np.uint8).reshape(3, 4)] * 3) * np.array([1, 2, 3], np.uint8)
    assert np.array_equal(read_image(xray(tmp_path / "d.dcm", colour)), colour)


def test_folders_of_x_rays_and_of_slices(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    values = np.arange(3 * 6 * 8, dtype=np.int16).reshape(3, 6, 8)
    write_series(tmp_path / "ct", values)
    for name in ("p.dcm", "q.dcm"):
        xray(tmp_path / "rays" / name, values[0].astype(np.uint16))
    assert [item.medium for item in expand(tmp_path / "ct").items] == [VOLUME]
    found = expand(tmp_path / "rays").items
    assert [(item.medium, item.name.name) for item in found] == [(PICTURE, "p.dcm"), (PICTURE, "q.dcm")]
