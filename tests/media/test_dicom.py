"""DICOM series: slices in the order of their positions, in Hounsfield units, and whatever is no series refused."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("nibabel", reason="volumes need intarsia[volumes]")
pydicom = pytest.importorskip("pydicom", reason="DICOM needs intarsia[volumes]")

import numpy as np  # noqa: E402
from volumes_made import write_series  # noqa: E402

from intarsia.errors import DataError, UsageError  # noqa: E402
from intarsia.media.volumes import is_volume, open_volume  # noqa: E402

VALUES = (np.random.default_rng(0).integers(-500, 500, (5, 4, 6)) // 2 * 2).astype(np.int16)  # slope 2 halves them


def edit(path: Path, **tags: object) -> None:
    one = pydicom.dcmread(path)
    for name, value in tags.items():
        if value is None:
            delattr(one, name)
        else:
            setattr(one, name, value)
    one.save_as(path)


@pytest.mark.parametrize("order", ["backwards", "forwards"])
def test_slices_are_ordered_by_position_and_rescaled(tmp_path: Path, order: str) -> None:
    volume = open_volume(write_series(tmp_path / "ct", VALUES, order=order))
    assert volume.grid.shape == (6, 4, 5)
    assert volume.grid.spacing == pytest.approx((0.75, 0.5, 2.0))  # columns, rows, slices
    assert volume.grid.codes == "LPS"
    assert volume.grid.affine[:3, 3] == pytest.approx((10, -20, 5))  # LPS (-10, 20, 5) as RAS
    found = np.concatenate([values for _, values in volume.slabs()], axis=2)
    assert np.array_equal(found, VALUES.transpose(2, 1, 0))
    # An axial view is what the scanner shows: rows down, columns to the patient's left.
    view = volume.read((-500, 500), "axial")
    assert np.array_equal(view, np.rint(np.clip((VALUES + 500.0) * 255 / 1000, 0, 255)).astype(np.uint8))


def test_other_planes_are_brought_into_the_same_view(tmp_path: Path) -> None:
    """The same body scanned in coronal planes: slices go to the back, rows down, columns to the left."""
    axial = open_volume(write_series(tmp_path / "axial", VALUES, spacing=(1, 1, 1)))
    turned = VALUES[::-1].transpose(1, 0, 2)  # (back, feet, left)
    coronal = open_volume(write_series(tmp_path / "coronal", turned, spacing=(1, 1, 1), directions=(1, 0, 0, 0, 0, -1)))
    assert coronal.grid.codes == "LIP"
    for axis in ("axial", "coronal", "sagittal"):
        assert np.array_equal(coronal.read((-500, 500), axis), axial.read((-500, 500), axis))


def test_a_single_slice_has_its_thickness(tmp_path: Path) -> None:
    volume = open_volume(write_series(tmp_path / "one", VALUES[:1]))
    assert volume.grid.shape == (6, 4, 1) and volume.grid.spacing[2] == pytest.approx(2.0)


def test_other_files_are_left_out_and_said(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "ct", VALUES)
    (folder / "README.txt").write_text("about this scan")
    (folder / "viewer.exe").write_bytes(b"MZ" + bytes(300))
    volume = open_volume(folder)
    assert volume.grid.shape == (6, 4, 5)
    assert volume.notes == (f"2 files of {folder} are no DICOM images and were left out, for instance README.txt.",)
    assert is_volume(folder) and is_volume(next(folder.glob("*.dcm")))
    assert open_volume(sorted(folder.glob("*.dcm"))).grid.shape == (6, 4, 5)


def test_several_series_have_to_be_chosen_from(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "ct", VALUES, uid="1.2.30")
    write_series(folder, VALUES[:3], uid="1.2.40")
    with pytest.raises(
        DataError, match=r"holds 2 series; choose one .*1\.2\.30 \(CT, made for a test, 5 images\); 1\.2\.40"
    ):
        open_volume(folder)
    assert open_volume(folder, series="40").grid.shape == (6, 4, 3)
    assert open_volume(folder, series="1.2.30").grid.shape == (6, 4, 5)
    for wrong, reason in (("50", "no series"), ("0", "more than one series")):
        with pytest.raises(UsageError, match=reason):
            open_volume(folder, series=wrong)


def test_missing_slices(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 slices are missing \(6\.00 mm, elsewhere 2\.00 mm\)"):
        open_volume(write_series(tmp_path / "gap", np.repeat(VALUES, 2, axis=0), skip=(4, 5)))


def test_what_is_no_stack(tmp_path: Path) -> None:
    def series(name: str) -> list[Path]:
        return sorted(write_series(tmp_path / name, VALUES, order="forwards").glob("*.dcm"))

    files = series("size")
    small = pydicom.dcmread(files[2])
    small.Rows, small.PixelData = 2, small.PixelData[: 2 * 6 * 2]
    small.save_as(files[2])
    with pytest.raises(DataError, match=r"differ in size: .* has 6x4 pixels, .* 6x2"):
        open_volume(tmp_path / "size")
    edit(series("plane")[2], ImageOrientationPatient=[1.0, 0, 0, 0, 0, -1.0])
    with pytest.raises(DataError, match="lies in another plane"):
        open_volume(tmp_path / "plane")
    files = series("twice")
    edit(files[3], ImagePositionPatient=list(pydicom.dcmread(files[2]).ImagePositionPatient))
    with pytest.raises(DataError, match="lie in the same place"):
        open_volume(tmp_path / "twice")
    edit(series("nowhere")[1], ImagePositionPatient=None)
    with pytest.raises(DataError, match="does not say where it lies"):
        open_volume(tmp_path / "nowhere")
    edit(series("many")[1], NumberOfFrames=7)
    with pytest.raises(DataError, match="many slices in one file"):
        open_volume(tmp_path / "many")
    edit(series("colour")[1], SamplesPerPixel=3)
    with pytest.raises(DataError, match="a colour picture"):
        open_volume(tmp_path / "colour")
    for index, file in enumerate(series("tilted")):
        edit(file, ImagePositionPatient=[0.0, 1.0 * index, 2.0 * index])
    with pytest.raises(DataError, match="tilted CT gantry"):
        open_volume(tmp_path / "tilted")


def test_damaged_files(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "ct", VALUES)
    victim = sorted(folder.glob("*.dcm"))[2]
    whole = victim.read_bytes()
    victim.write_bytes(whole[:-20])
    with pytest.raises(DataError, match=victim.name):
        open_volume(folder).read((0, 1), "axial")
    victim.write_bytes(whole[:200])
    with pytest.raises(DataError):
        open_volume(folder).read((0, 1), "axial")
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "a.txt").write_text("no scan")
    with pytest.raises(DataError, match="no DICOM image among 1 files"):
        open_volume(tmp_path / "none")


def test_a_compression_without_a_decoder_says_what_to_do(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "ct", VALUES[:2])
    for file in folder.glob("*.dcm"):
        one = pydicom.dcmread(file)
        one.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
        one.PixelData = pydicom.encaps.encapsulate([b"\\xff\\xd8" + bytes(60)])
        one["PixelData"].VR = "OB"
        one.save_as(file)
    with pytest.raises(DataError, match=r"decompress the series|truncated or corrupt"):
        open_volume(folder).read((0, 1), "axial")


def test_the_real_series_lies_on_the_grid_of_its_segmentation(real_data: Path) -> None:
    folder = real_data / "ct_volumes"
    if not folder.is_dir():
        pytest.skip("no ct_volumes/ in the real data")
    volume, mask = open_volume(folder / "example_ct_dicom"), open_volume(folder / "example_seg_dicom.nii.gz")
    assert volume.grid.shape == (512, 512, 20) and volume.grid.spacing == pytest.approx((0.9765625, 0.9765625, 2))
    assert volume.grid.codes == "LPS" and mask.grid.codes == "LAS"
    assert volume.grid.differs(mask.grid) == ""
    liver = mask.grid.view(mask.labels(), "axial") == 5
    values = volume.read((-1000, 1000), "axial")[liver] / 255 * 2000 - 1000
    assert values.std() < 25  # one organ; about 190 when the labels are mirrored
