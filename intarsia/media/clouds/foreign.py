"""Formats of points that are not read here, and what to do about each."""

from __future__ import annotations

from pathlib import Path

_CLOUDCOMPARE = "CloudCompare -SILENT -O {name} -C_EXPORT_FMT LAS -SAVE_CLOUDS"
_MESH = (
    "a mesh, not points; sample them from it "
    "(CloudCompare -SILENT -O {name} -SAMPLE_MESH POINTS 1000000 -C_EXPORT_FMT LAS -SAVE_CLOUDS)"
)
_SCANNER = "a scanner's own format; export the scan as E57 or LAS from the program that came with it"
_ADVICE = {
    ".ptx": f"a PTX file, whose scans each lie in their own place; convert it ({_CLOUDCOMPARE})",
    **dict.fromkeys((".rcp", ".rcs"), "a project of Autodesk ReCap; export it from there as E57"),
    **dict.fromkeys((".fls", ".zfs", ".rdbx", ".x3a", ".3dd", ".cl3"), _SCANNER),
    **dict.fromkeys((".obj", ".stl", ".off", ".gltf", ".glb", ".3ds", ".dae"), _MESH),
}
FOREIGN_SUFFIXES = tuple(_ADVICE)


def advice(path: Path) -> str:
    """Say what a file of one of these suffixes is and how it becomes one that is read; "" of other files."""
    return _ADVICE.get(path.suffix.lower(), "").format(name=path.name)
