"""Arrays as users hold them: tensors, masked arrays, lists; the same in metrics, pictures and the CRF."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import intarsia
from intarsia.arrays import as_array
from intarsia.compat.pydensecrf.utils import unary_from_labels, unary_from_softmax
from intarsia.errors import DataError, UsageError
from intarsia.media.images import held, read_image
from intarsia.metrics import ConfusionMatrix, PrecisionRecall, surface_distances


def test_tensors_are_arrays() -> None:
    values = torch.tensor([[0.25, 0.5]])
    for tensor in (values, values.bfloat16(), values.clone().requires_grad_(), values.double()):
        assert as_array(tensor, "values").tolist() == [[0.25, 0.5]]
    assert as_array(torch.tensor([3], dtype=torch.uint8), "values").dtype == np.uint8


def test_what_a_mask_hides_is_asked_for() -> None:
    labels = np.ma.masked_array([[0, 1], [1, 0]], mask=[[True, False], [False, False]])
    with pytest.raises(
        DataError, match=r"labels are a masked array that hides 1 element; .*array.filled\(VALUE\).*255"
    ):
        ConfusionMatrix(2).update(np.zeros((2, 2), int), labels)
    matrix = ConfusionMatrix(2)
    matrix.update(np.zeros((2, 2), int), labels.filled(255))
    assert matrix.counts.sum() == 3
    assert as_array(np.ma.masked_array([1, 2], mask=False), "values").tolist() == [1, 2]
    with pytest.raises(DataError, match="pixels are a masked array"):
        read_image(np.ma.masked_greater(np.full((4, 4, 3), 9, np.uint8), 8))


def test_ragged_lists_are_explained() -> None:
    with pytest.raises(DataError, match="labels are no array"):
        ConfusionMatrix(2).update([[1], [1, 0]], [[1], [1, 0]])


def test_metrics_of_tensors_with_gradients_and_of_bfloat16() -> None:
    scores = torch.tensor([[[0.75, 0.25, 0.5], [0.25, 0.75, 0.5]]], requires_grad=True)
    found = []
    for given in (scores, scores.bfloat16(), scores.detach().numpy()):
        ranking = PrecisionRecall(2, exact=True)
        ranking.update(given, torch.tensor([[0, 1, 1]]))
        found.append(ranking.compute().mean_ap)
    assert found[0] == found[1] == found[2] > 0
    mask = torch.zeros(6, 6)
    mask[2:4, 2:4] = 1
    assert surface_distances(mask.requires_grad_(), mask.bfloat16()).hausdorff == 0


def test_a_mask_of_one_object_holds_one_number_besides_0() -> None:
    labels = np.array([[0, 1, 1], [0, 1, 255]])
    with pytest.raises(DataError, match=r"this one 1 to 255 besides 0; say which is meant: labels == 1"):
        surface_distances(labels, labels == 1)
    assert surface_distances(labels == 1, 7 * (labels == 1)).hausdorff == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: ConfusionMatrix(3.0), "classes and ignore_index are whole numbers, not 3.0 and 255"),
        (lambda: ConfusionMatrix("3"), "whole numbers, not '3' and 255"),
        (lambda: ConfusionMatrix(3, ignore_index=None), "whole numbers, not 3 and None"),
        (lambda: surface_distances([[1]], [[1]], spacing=2), "spacing is a list of 2 or 3 numbers, one an axis, not 2"),
        (lambda: surface_distances([[1]], [[1]], spacing="1,1"), "one an axis, not '1,1'"),
        (lambda: held(""), "an empty name stands for no picture"),
        (lambda: intarsia.segment(""), "an empty name stands for no picture"),
        (lambda: held(io.StringIO("x")), "is opened as text; open it with mode 'rb'"),
    ],
)
def test_arguments_of_the_wrong_kind(call, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        call()


def test_pictures_as_programs_hold_them(tmp_path: Path) -> None:
    pixels = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    with (tmp_path / "a.png").open("rb") as stream:
        for source in (bytearray(data), memoryview(data), io.BytesIO(data), stream, torch.from_numpy(pixels)):
            np.testing.assert_array_equal(read_image(source), pixels)
    with pytest.raises(DataError, match=r"channels come last"):
        read_image(torch.from_numpy(pixels).permute(2, 0, 1))


def test_one_tensor_is_one_picture() -> None:
    pixels = np.full((24, 32, 3), 90, np.uint8)
    model = intarsia.load("person")
    expected = model.segment(pixels).labels
    for source in (torch.from_numpy(pixels), io.BytesIO(_png(pixels)), bytearray(_png(pixels))):
        np.testing.assert_array_equal(model.segment(source).labels, expected)


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_energies_of_labels_that_are_none() -> None:
    with pytest.raises(ValueError, match="labels are whole numbers; take the argmax"):
        unary_from_labels(np.array([0.5, 1.0]), 2, 0.7)
    with pytest.raises(ValueError, match="n_labels is the number of classes, at least 1, not 0"):
        unary_from_labels(np.array([0]), 0, 0.7)
    probabilities = torch.tensor([[0.25, 1.0], [0.75, 0.0]], requires_grad=True)
    np.testing.assert_allclose(
        unary_from_softmax(probabilities), -np.log([[0.25, 1.0], [0.75, 1e-5]]), rtol=1e-6, atol=1e-7
    )
