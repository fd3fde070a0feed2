"""Pictures of people: Clothing Co-Parsing (clothes) and Pratheepan (skin)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from intarsia.datasets.coding import MaskCoding, RawMask
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.matfile import read_mat, read_names
from intarsia.datasets.partition import partition
from intarsia.datasets.public.entry import Entry, Matched, by_name, find, layout, pairs_of, pictures
from intarsia.datasets.public.protocol import PLAIN, EvaluationProtocol, of_one_class
from intarsia.datasets.splits import Item, Size
from intarsia.labels import LabelSpace

CCP = LabelSpace(
    (
        "null", "accessories", "bag", "belt", "blazer", "blouse", "bodysuit", "boots", "bra", "bracelet", "cape",
        "cardigan", "clogs", "coat", "dress", "earrings", "flats", "glasses", "gloves", "hair", "hat", "heels",
        "hoodie", "intimate", "jacket", "jeans", "jumper", "leggings", "loafers", "necklace", "panties", "pants",
        "pumps", "purse", "ring", "romper", "sandals", "scarf", "shirt", "shoes", "shorts", "skin", "skirt",
        "sneakers", "socks", "stockings", "suit", "sunglasses", "sweater", "sweatshirt", "swimwear", "t-shirt", "tie",
        "tights", "top", "vest", "wallet", "watch", "wedges",
    )
)  # fmt: skip
"""The 59 labels of Clothing Co-Parsing; "null" is the background."""

SKIN = LabelSpace(("background", "skin"), ((0, 0, 0), (255, 255, 255)))

CCP_PROTOCOL = EvaluationProtocol(
    "ccp", "mean IoU and accuracy of 59 labels", "Yang, Luo & Lin 2014", lambda: (CCP,), PLAIN
)
SKIN_PROTOCOL = EvaluationProtocol(
    "pratheepan",
    "precision, recall, F1, accuracy and IoU of skin",
    "Tan et al. 2012",
    lambda: (SKIN,),
    of_one_class("skin"),
)

CCP_ENTRY = Entry(
    name="ccp",
    title="Clothing Co-Parsing (CCP)",
    about="fashion photos of whole persons, 58 kinds of clothing and body parts and background",
    space=lambda: CCP,
    splits="none official: 70 % train, 10 % val and 20 % test of the 1004 labelled photos are drawn, always the same",
    ignored="nothing",
    size="1004 labelled photos, and 1094 with tags only",
    license="repository under Apache-2.0; photos from the web",
    citation="Yang, Luo & Lin, Clothing Co-Parsing by Joint Image Segmentation and Labeling, CVPR 2014",
    homepage="https://github.com/bearpaw/clothing-co-parsing",
    steps=("git clone https://github.com/bearpaw/clothing-co-parsing", "intarsia train clothing-co-parsing"),
    tree="""photos/0001.jpg
annotations/pixel-level/0001.mat  (groundtruth)
label_list.mat  (optional)""",
    protocol=CCP_PROTOCOL,
)

PRATHEEPAN_ENTRY = Entry(
    name="pratheepan",
    title="Pratheepan skin",
    about="78 photos of faces and families with their skin marked; for testing",
    space=lambda: SKIN,
    splits="test 78 (32 FacePhoto, 46 FamilyPhoto)",
    ignored="nothing",
    size="78 labelled photos",
    license="for non-commercial use",
    citation="Tan et al., A Fusion Approach for Efficient Human Skin Detection, IEEE T-II 2012",
    homepage="http://cs-chan.com/downloads_skin_dataset.html",
    steps=(
        "fetch the Face_Dataset from the homepage, and unpack it",
        "intarsia evaluate FOLDER -m MODEL --protocol pratheepan",
    ),
    tree="""Pratheepan_Dataset/FacePhoto/*.jpg, Pratheepan_Dataset/FamilyPhoto/*.jpg
Ground_Truth/GroundT_FacePhoto/*.png, Ground_Truth/GroundT_FamilyPhoto/*.png""",
    protocol=SKIN_PROTOCOL,
)

_SEED = 0


def _clothes(content: Content) -> Path | None:
    return find(content, "", "clothing-co-parsing", holding=("photos", "annotations/pixel-level"))


def _read_clothes(content: Content) -> PictureReading:
    folder = _clothes(content)
    if folder is None:
        raise CCP_ENTRY.missing(content, "it has no photos/ with annotations/pixel-level/")
    masks = folder / "annotations/pixel-level"
    matched, _ = by_name(None, folder / "photos", masks, lambda photo: photo.with_suffix(".mat"))
    names = folder / "label_list.mat"
    space = LabelSpace(read_names(names, "label_list")) if names.exists() else CCP
    items = tuple(Item(name, image, mask) for _, name, image, mask in matched)
    splits: dict[str, str] = {}
    note = f"Clothing Co-Parsing with {len(space)} labels."
    if len(items) >= 10:
        rest, test = partition(items, 0.2, _SEED)
        _, val = partition(rest, 0.125, _SEED)
        splits = dict.fromkeys((one.id for one in test), "test") | dict.fromkeys((one.id for one in val), "val")
        note += " It has no official division: 70 % train, 10 % val and 20 % test, by name."
    divided = [(splits.get(name, "train") if splits else None, name, image, mask) for _, name, image, mask in matched]
    coding = MaskCoding(values={index: index for index in range(len(space))})
    # More than half of the photos have tags only, no masks: that is how the data set is.
    return PictureReading(space, coding, pairs_of((divided, [])), (note,), _groundtruth)


def _groundtruth(item: Item, size: Size | None) -> RawMask:
    return read_mat(Path(str(item.target)), "groundtruth")


_PARTS = {"FacePhoto": "GroundT_FacePhoto", "FamilyPhoto": "GroundT_FamilyPhoto"}


def _skin(content: Content) -> Path | None:
    return find(content, "", "Face_Dataset", holding=("Pratheepan_Dataset", "Ground_Truth"))


def _read_skin(content: Content) -> PictureReading:
    folder = _skin(content)
    if folder is None:
        raise PRATHEEPAN_ENTRY.missing(content, "it has no Pratheepan_Dataset/ with Ground_Truth/")
    parts = []
    for photos, masks in _PARTS.items():
        truth = {mask.stem: mask for mask in pictures(folder / "Ground_Truth" / masks)}
        images = pictures(folder / "Pratheepan_Dataset" / photos)
        matched: list[Matched] = [
            ("test", f"{photos}/{image.stem}", image, truth[image.stem]) for image in images if image.stem in truth
        ]
        parts.append((matched, [image for image in images if image.stem not in truth]))
    note = "Pratheepan skin, for testing only; masks brighter than 127 are skin."
    pairs = pairs_of(*parts)
    used = {mask for *_, mask in pairs.matched}
    every = [mask for masks in _PARTS.values() for mask in pictures(folder / "Ground_Truth" / masks)]
    pairs = replace(pairs, masks=tuple(mask for mask in every if mask not in used))
    return PictureReading(SKIN, MaskCoding(threshold=127), pairs, (note,))


ENTRIES = (CCP_ENTRY, PRATHEEPAN_ENTRY)
LAYOUTS: dict[str, Layout] = {
    "ccp": layout(
        CCP_ENTRY,
        "Clothing Co-Parsing, 59 labels: photos, annotations/pixel-level (.mat)",
        lambda content: _clothes(content) is not None,
        _read_clothes,
    ),
    "pratheepan": layout(
        PRATHEEPAN_ENTRY,
        "Pratheepan skin: Pratheepan_Dataset, Ground_Truth",
        lambda content: find(content, "", "Face_Dataset", holding=("Pratheepan_Dataset",)) is not None,
        _read_skin,
    ),
}
