"""The confusion matrix as a picture of its own."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix

_CELL, _GAP, _FONT = 40, 8, 13
_PAPER, _INK, _DIM, _LINE = (255, 255, 255), (27, 31, 36), (102, 112, 128), (223, 227, 232)
_RIGHT, _WRONG = (0, 114, 178), (213, 94, 0)


def confusion_picture(space: LabelSpace, matrix: ConfusionMatrix) -> Image.Image:
    """Heat map of the shares of each true class; rows are the truth, columns the prediction, numbers percent.

    Classes without a true element have no row.
    """
    font = ImageFont.load_default(_FONT)
    present = [index for index in range(len(space)) if matrix.counts[index].any()]
    margin = 3 * _GAP + max(round(font.getlength(name)) for name in space.names)
    width, height = margin + _CELL * len(space) + _GAP, margin + _CELL * len(present) + 3 * _GAP + _FONT
    picture = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(picture)
    for column, name in enumerate(space.names):
        picture.paste(_upright(name, font, margin), (margin + column * _CELL + (_CELL - _FONT) // 2, 0))
    for row, index in enumerate(present):
        top = margin + row * _CELL
        pen.text((margin - _GAP, top + _CELL // 2), space.names[index], fill=_INK, font=font, anchor="rm")
        total = int(matrix.counts[index].sum())
        for column in range(len(space)):
            share = int(matrix.counts[index, column]) / total
            box = (margin + column * _CELL, top, margin + (column + 1) * _CELL, top + _CELL)
            color = _mixed(_RIGHT if column == index else _WRONG, share)
            pen.rectangle(box, fill=color, outline=_LINE)
            if share >= 0.005:
                middle = ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2)
                ink = _PAPER if share > 0.6 else _INK
                pen.text(middle, f"{100 * share:.0f}", fill=ink, font=font, anchor="mm")
    note = "rows: truth, columns: prediction, percent of the row"
    pen.text((_GAP, height - _GAP), note, fill=_DIM, font=font, anchor="lb")
    return picture


def _mixed(color: tuple[int, int, int], share: float) -> tuple[int, int, int]:
    red, green, blue = (round(255 + share * (channel - 255)) for channel in color)
    return red, green, blue


def _upright(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, length: int) -> Image.Image:
    """Text that reads from bottom to top and ends above the matrix."""
    line = Image.new("RGB", (length, _FONT + 4), _PAPER)
    ImageDraw.Draw(line).text((_GAP, 0), text, fill=_INK, font=font)
    return line.transpose(Image.Transpose.ROTATE_90)
