"""NIfTI files: every orientation gives the same slices, labels keep the grid, bad files are refused."""

from __future__ import annotations

import gzip
import itertools
import struct
from pathlib import Path

import pytest

nibabel = pytest.importorskip("nibabel", reason="volumes need intarsia[volumes]")

import numpy as np  # noqa: E402
from hypothesis import HealthCheck, example, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from volumes_made import AFFINE, body, write_nifti  # noqa: E402

from intarsia.errors import DataError, UsageError  # noqa: E402
from intarsia.labels import LabelSpace  # noqa: E402
from intarsia.media.grids import Grid  # noqa: E402
from intarsia.media.volumes import is_volume, open_volume, stack, volume_stem  # noqa: E402

SPACE = LabelSpace(("background", "organ", "lesion"))
CODES = [
    "".join(code)
    for order in itertools.permutations(("RL", "AP", "SI"))
    for code in itertools.product(*order)
]  # fmt: skip


def test_values_become_bytes_linearly_within_the_window(tmp_path: Path) -> None:
    values = np.array([-1000, -200, -199, 25, 250, 3000], np.int16).reshape(1, 1, 6)
    reader = open_volume(write_nifti(tmp_path / "a.nii.gz", values))
    found = reader.read((-200, 250), "axial")
    assert found.dtype == np.uint8
    assert found[:, 0, 0].tolist() == [0, 0, 1, 128, 255, 255]  # (25 + 200) / 450 * 255 = 127.5, rounded to even
    assert reader.grid.spacing == pytest.approx((1.5, 1.25, 4))
    assert reader.grid.view_spacing("axial") == pytest.approx((4, 1.25, 1.5))
    assert reader.grid.view_spacing("sagittal") == pytest.approx((1.5, 4, 1.25))


def test_slope_and_intercept_are_applied_and_no_number_is_black(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.arange(8, dtype=np.int16).reshape(2, 2, 2), AFFINE)
    image.header.set_slope_inter(10, -1024)
    nibabel.save(image, tmp_path / "scaled.nii")
    stored = nibabel.load(tmp_path / "scaled.nii")
    expected = np.asarray(stored.get_fdata())
    ((place, values),) = open_volume(tmp_path / "scaled.nii").slabs()
    assert place == slice(0, 2) and np.allclose(values, expected)
    floats = np.array([np.nan, 0, 50, 100], np.float32).reshape(1, 1, 4)
    holed = open_volume(write_nifti(tmp_path / "nan.nii", floats))
    found = holed.read((0, 100), "axial")
    assert holed.notes == ("25 % of its voxels are no numbers (NaN), and are seen as black",)
    assert found.ravel().tolist() == [0, 0, 128, 255]


def test_directions_of_the_three_views(tmp_path: Path) -> None:
    """One voxel is lit: right, front, top. Where it appears tells how each view looks at the patient."""
    values = np.zeros((4, 5, 6), np.uint8)
    values[3, 4, 5] = 1
    reader = open_volume(write_nifti(tmp_path / "a.nii", values))
    place = {axis: np.argwhere(reader.read((0, 1), axis))[0].tolist() for axis in ("axial", "coronal", "sagittal")}
    # The last slice from the feet, top row (front), first column (the patient's right is on the left).
    assert place["axial"] == [5, 0, 0]
    # The last slice from behind, top row (head), first column.
    assert place["coronal"] == [4, 0, 0]
    # The first slice from the right, top row (head), first column (front).
    assert place["sagittal"] == [0, 0, 0]


@pytest.mark.parametrize("codes", CODES)
def test_every_orientation_gives_the_same_slices_and_gets_its_labels_back(tmp_path: Path, codes: str) -> None:
    values, labels = body()
    plain = open_volume(write_nifti(tmp_path / "plain.nii", values))
    image = open_volume(write_nifti(tmp_path / "turned.nii", values, codes=codes))
    mask = open_volume(write_nifti(tmp_path / "mask.nii", labels, codes=codes))
    assert image.grid.codes == codes
    assert not plain.grid.differs(image.grid)
    for axis in ("axial", "coronal", "sagittal"):
        assert np.array_equal(image.read((-1000, 300), axis), plain.read((-1000, 300), axis))
        view = mask.grid.view(mask.labels(), axis)
        image.write(tmp_path / "back.nii", np.ascontiguousarray(image.grid.stored(view, axis)), SPACE)
        back = nibabel.load(tmp_path / "back.nii")
        assert np.array_equal(np.asarray(back.dataobj), mask.labels())
        assert back.get_data_dtype() == np.uint8
        assert np.array_equal(back.affine, nibabel.load(tmp_path / "turned.nii").affine)


rotations = st.tuples(*(st.floats(-3.1, 3.1) for _ in range(3)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.tuples(*(st.integers(1, 6) for _ in range(3))),
    angles=rotations,
    spacing=st.tuples(*(st.floats(0.1, 9) for _ in range(3))),
    flips=st.tuples(*(st.sampled_from((-1, 1)) for _ in range(3))),
    axis=st.sampled_from(("axial", "coronal", "sagittal")),
)
def test_a_view_and_its_inverse_are_the_identity_for_any_oblique_grid(shape, angles, spacing, flips, axis) -> None:
    turn = np.eye(3)
    for angle, other in zip(angles, ((0, 1), (1, 2), (0, 2)), strict=True):
        part = np.eye(3)
        a, b = other
        part[[a, a, b, b], [a, b, a, b]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        turn = turn @ part
    affine = np.eye(4)
    affine[:3, :3] = turn * np.array(spacing) * np.array(flips)
    grid = Grid(shape, affine)
    labels = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    assert np.array_equal(grid.stored(grid.view(labels, axis), axis), labels)
    assert sorted(grid.view_spacing(axis)) == pytest.approx(sorted(grid.spacing))
    assert grid.differs(grid) == ""


def test_header_and_label_table_survive(tmp_path: Path) -> None:
    values, labels = body()
    image = nibabel.Nifti1Image(values, AFFINE)
    image.set_sform(AFFINE, code=2)
    image.set_qform(AFFINE, code=1)
    image.header["db_name"] = b"case 7"
    nibabel.save(image, tmp_path / "ct.nii.gz")
    volume = open_volume(tmp_path / "ct.nii.gz")
    volume.write(tmp_path / "out.nii", labels, LabelSpace(("background", "organ & more", "a ]]> b")))
    header = nibabel.load(tmp_path / "out.nii").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (2, 1)
    assert header["db_name"].item() == b"case 7"
    assert int(header["intent_code"]) == 1002  # NIFTI_INTENT_LABEL
    assert open_volume(tmp_path / "out.nii").class_names() == {0: "background", 1: "organ & more", 2: "a ]] > b"}
    first, second = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    volume.write(first, labels, SPACE)
    volume.write(second, labels, SPACE)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii.gz", "b.nii.gz", "ct.nii.gz", "out.nii"]


def test_more_than_256_classes_are_stored_with_16_bits(tmp_path: Path) -> None:
    volume = open_volume(write_nifti(tmp_path / "ct.nii", np.zeros((2, 2, 2), np.int16)))
    space = LabelSpace(tuple(f"class {index}" for index in range(400)))
    volume.write(tmp_path / "out.nii.gz", np.full((2, 2, 2), 399, np.uint16), space)
    assert open_volume(tmp_path / "out.nii.gz").labels().tolist() == np.full((2, 2, 2), 399).tolist()


def test_labels_are_whole_numbers_whatever_their_type(tmp_path: Path) -> None:
    floats = write_nifti(tmp_path / "float.nii.gz", np.array([0, 1, 2, 300], np.float64).reshape(1, 2, 2))
    assert open_volume(floats).labels().ravel().tolist() == [0, 1, 2, 300]
    for name, values in (("half", [0, 0.5]), ("negative", [-1, -2]), ("large", [0, 70000])):
        path = write_nifti(tmp_path / f"{name}.nii", np.array(values, np.float32).reshape(1, 1, 2))
        with pytest.raises(DataError, match=r"whole numbers|classes are 0\.\.65535"):
            open_volume(path).labels()


def test_neighbouring_slices_are_channels_and_ends_are_repeated() -> None:
    slices = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 2, 3), np.uint8)
    assert stack(slices, 2, 3)[0, 0].tolist() == [1, 2, 3]
    assert stack(slices, 0, 5)[1, 2].tolist() == [0, 0, 0, 1, 2]
    assert stack(slices, 4, 3)[0, 0].tolist() == [3, 4, 4]
    assert stack(slices, 3, 1).shape == (2, 3, 1)


def test_names(tmp_path: Path) -> None:
    assert is_volume("a/b.NII.GZ") and is_volume(Path("b.nii")) and not is_volume("b.png")
    assert volume_stem(Path("x/case.1.nii.gz")) == "case.1"
    assert not is_volume(tmp_path)


def header_with(path: Path, **fields: object) -> Path:
    """A NIfTI file with single header fields overwritten, as no library would write them."""
    write_nifti(path, np.zeros((4, 4, 4), np.int16))
    raw = bytearray(path.read_bytes())
    offsets = {
        "dim": (40, "8h"),
        "pixdim": (76, "8f"),
        "srow_x": (280, "4f"),
        "datatype": (70, "h"),
        "forms": (252, "2h"),
    }
    for name, value in fields.items():
        offset, kind = offsets[name]
        struct.pack_into(f"<{kind}", raw, offset, *(value if isinstance(value, tuple) else (value,)))
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"dim": (3, 30000, 30000, 30000, 1, 1, 1, 1)}, "refused: .* voxels, the limit"),
        ({"dim": (3, 400, 400, 400, 1, 1, 1, 1)}, "cannot hold; it is truncated or forged"),
        ({"dim": (3, 4, 4, 0, 1, 1, 1, 1)}, "no voxels"),
        ({"dim": (3, 4, -4, 4, 1, 1, 1, 1)}, "no voxels|not a usable"),
        ({"dim": (4, 4, 4, 2, 2, 1, 1, 1)}, "a time series or a set of 2 volumes"),
        ({"dim": (2, 8, 8, 1, 1, 1, 1, 1)}, "not a volume"),
        ({"srow_x": (float("nan"), 0, 0, 0)}, "not finite"),
        ({"srow_x": (0.0, 0, 0, 0)}, "no extent"),
        ({"srow_x": (1.5, 1.0, 0, 0)}, "not at right angles .* tilted CT gantry"),
        ({"datatype": 32}, "complex64, not numbers|cannot hold"),
        ({"datatype": 9999}, "not a usable volume"),
    ],
)
def test_headers_that_cannot_be_true(tmp_path: Path, fields: dict[str, object], reason: str) -> None:
    path = header_with(tmp_path / "bad.nii", **fields)
    with pytest.raises(DataError, match=reason) as failure:
        open_volume(path)
    assert "bad.nii" in str(failure.value)


def test_a_fourth_axis_of_one_is_dropped(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "a.nii.gz", np.arange(8, dtype=np.int16).reshape(2, 2, 2, 1))
    volume = open_volume(path)
    assert volume.grid.shape == (2, 2, 2)
    volume.write(tmp_path / "out.nii.gz", np.zeros((2, 2, 2), np.uint8), SPACE)
    assert nibabel.load(tmp_path / "out.nii.gz").shape == (2, 2, 2)


def test_a_header_without_orientation_is_read_and_said(tmp_path: Path) -> None:
    path = header_with(tmp_path / "a.nii", forms=(0, 0))
    assert any("does not say how the patient lies" in note for note in open_volume(path).notes)


@pytest.mark.parametrize("keep", [0, 40, 300, 700])
def test_truncated_files(tmp_path: Path, keep: int) -> None:
    values = np.random.default_rng(0).integers(0, 900, (12, 12, 12)).astype(np.int16)
    for name in ("a.nii", "a.nii.gz"):
        whole = write_nifti(tmp_path / name, values).read_bytes()
        (tmp_path / name).write_bytes(whole[:keep])
        with pytest.raises(DataError, match=r"truncated|corrupt|not a usable NIfTI|cannot hold"):
            open_volume(tmp_path / name).read((0, 900), "axial")


def test_damaged_compression(tmp_path: Path) -> None:
    whole = bytearray(write_nifti(tmp_path / "a.nii.gz", np.ones((20, 20, 20), np.int16)).read_bytes())
    whole[-30:-10] = bytes(20)
    (tmp_path / "a.nii.gz").write_bytes(whole)
    with pytest.raises(DataError, match=r"a\.nii\.gz"):
        open_volume(tmp_path / "a.nii.gz").read((0, 1), "axial")
    (tmp_path / "plain.nii").write_bytes(gzip.compress(b"no volume"))
    with pytest.raises(DataError, match=r"plain\.nii"):
        open_volume(tmp_path / "plain.nii")


def test_wrong_calls(tmp_path: Path) -> None:
    volume = open_volume(write_nifti(tmp_path / "a.nii", np.zeros((2, 3, 4), np.int16)))
    with pytest.raises(UsageError, match=r"end its name in \.nii\.gz"):
        volume.write(tmp_path / "out.png", np.zeros((2, 3, 4), np.uint8), SPACE)
    with pytest.raises(DataError, match="grid"):
        volume.write(tmp_path / "out.nii", np.zeros((4, 3, 2), np.uint8), SPACE)
    with pytest.raises(DataError, match="no such file or folder"):
        open_volume(tmp_path / "nothing.nii")
    with pytest.raises(UsageError, match="only DICOM"):
        open_volume(tmp_path / "a.nii", series="1.2")
    assert not (tmp_path / "out.nii").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 351), value=st.integers(0, 255))
@example(place=123, value=4)  # a unit of lengths that is none
@example(place=259, value=64)  # a quaternion that is none
def test_a_damaged_header_gives_voxels_or_a_data_error(tmp_path: Path, place: int, value: int) -> None:
    raw = bytearray(write_nifti(tmp_path / "a.nii", np.zeros((3, 3, 3), np.int16)).read_bytes())
    raw[place] = value
    (tmp_path / "a.nii").write_bytes(raw)
    try:
        found = open_volume(tmp_path / "a.nii").read(None, "axial")
    except DataError:
        return
    assert found.ndim == 3 and found.dtype == np.uint8


def test_the_real_ct_and_its_labels_lie_on_one_grid(real_data: Path) -> None:
    folder = real_data / "ct_volumes"
    if not folder.is_dir():
        pytest.skip("no ct_volumes/ in the real data")
    image, mask = open_volume(folder / "example_ct_sm.nii.gz"), open_volume(folder / "example_seg.nii.gz")
    assert image.grid.codes == "RAS" and image.grid.spacing == pytest.approx((3, 3, 3))
    assert image.grid.differs(mask.grid) == ""
    names = mask.class_names()
    assert names[5] == "liver" and len(names) == 117
    liver = mask.labels() == 5
    assert liver.sum() == 38634
    ((_, values),) = image.slabs()
    assert values[liver].mean() == pytest.approx(45, abs=1)
    longer = open_volume(folder / "example_ct.nii.gz").grid
    assert "122 x 101 x 30" in longer.differs(mask.grid)
