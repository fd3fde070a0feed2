"""The regions of a label raster as polygons on the map: GeoJSON and GeoPackage."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.errors import DataError, require
from intarsia.files import atomic_path
from intarsia.labels import LabelSpace
from intarsia.media.rasters import GeoFrame, opened_raster
from intarsia.media.regions import BAND_PIXELS, trace

GEOPACKAGE = ".gpkg"

Ring = NDArray[np.float64]
"""(n, 2): a closed line on the map."""
_POINTS = 1 << 15  # of a ring that are text at the same time


@dataclass(frozen=True)
class Outline:
    """One region.

    Attributes:
        index: its class.
        pixels: that it has.
        area: in squared map units.
        rings: in map coordinates, the outer one first.
    """

    index: int
    pixels: int
    area: float
    rings: list[Ring]


def write_outlines(
    path: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    space: LabelSpace,
    *,
    classes: Collection[str] = (),
    least_area: float = 0.0,
    tolerance: float = 0.0,
) -> int:
    """Outline the regions of a label GeoTIFF as polygons in map coordinates, whole or not at all.

    The raster is read by bands of rows, so memory grows with the corners of the regions in work, not with the pixels.
    Regions are 4-connected; holes stay holes. Coordinates are in the raster's own reference system. GeoJSON names it in
    the member "crs", as GeoJSON 2008 had it and GDAL and QGIS read it; RFC 7946 knows longitude and latitude only.

    Args:
        path: target; a name in .gpkg becomes a GeoPackage (OGC 12-128) with the layer "labels", others GeoJSON.
        labels: a GeoTIFF as `GeoTiffWriter` writes it.
        space: the classes.
        classes: names of those whose regions are outlined; () for all.
        least_area: regions smaller than so many squared map units are left out, and so are such holes.
        tolerance: outlines may be simplified by so many map units (Douglas and Peucker 1973), each by itself, so that
            neighbours may come apart or overlap by as much; 0 keeps every corner.

    Returns:
        The number of polygons; each has the properties class, index, pixels and area (in squared map units) of the
        region before it was simplified.

    Raises:
        DataError: the raster has no georeference, or a file cannot be read or written.
    """
    write = _write_geopackage if Path(path).suffix.lower() == GEOPACKAGE else _write_geojson
    with opened_raster(Path(labels)) as raster, atomic_path(path) as temporary:
        if not GeoFrame.of(raster).straight:
            raise DataError(
                f"cannot outline {labels} in map coordinates: the raster has no georeference that regions could be "
                "outlined in; georeference it first (gdal_translate -a_srs ... -a_ullr ...), or warp it (gdalwarp)"
            )
        wanted = {index for index, name in enumerate(space.names) if not classes or name in classes}
        try:
            return write(temporary, raster, _outlines(raster, wanted, least_area, tolerance), space)
        except sqlite3.Error as error:
            raise DataError(f"cannot write {path}: {error}") from error


def _outlines(raster: Any, wanted: Collection[int], least_area: float, tolerance: float) -> Iterator[Outline]:
    a, b, c, d, e, f = tuple(raster.transform)[:6]
    pixel = abs(raster.transform.determinant)
    for region in trace(_bands(raster)):
        size = region.pixels * pixel
        if region.label not in wanted or size < least_area:
            continue
        rings = [
            _simplified(np.stack([a * x + b * y + c, d * x + e * y + f], axis=1), tolerance)
            for (x, y), own in zip(
                (np.concatenate([ring, ring[:1]]).T.astype(np.float64) for ring in region.rings), region.areas,
                strict=True,
            )
            if own * pixel >= least_area
        ]  # fmt: skip
        yield Outline(region.label, region.pixels, round(size, 6), rings)


def _bands(raster: Any) -> Iterator[NDArray[Any]]:
    windows = require("rasterio.windows", "geo")
    step = max(1, BAND_PIXELS // raster.width)
    for top in range(0, raster.height, step):
        yield raster.read(1, window=windows.Window(0, top, raster.width, min(step, raster.height - top)))


def _write_geojson(path: Path, raster: Any, outlines: Iterator[Outline], space: LabelSpace) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", ')
        if raster.crs is not None:
            code = raster.crs.to_epsg()
            name = f"urn:ogc:def:crs:EPSG::{code}" if code else raster.crs.to_wkt()
            file.write(f'"crs": {json.dumps({"type": "name", "properties": {"name": name}})}, ')
        file.write('"features": [')
        for one in outlines:
            properties = {
                "class": space.names[one.index], "index": one.index, "pixels": one.pixels, "area": one.area,
            }  # fmt: skip
            said = json.dumps(properties, ensure_ascii=False)
            file.write(("," if count else "") + f'\n{{"type": "Feature", "properties": {said}, ')
            file.write('"geometry": {"type": "Polygon", "coordinates": [')
            for place, ring in enumerate(one.rings):
                file.write(", [" if place else "[")
                for start in range(0, len(ring), _POINTS):
                    file.write((", " if start else "") + json.dumps(ring[start : start + _POINTS].tolist())[1:-1])
                file.write("]")
            file.write("]}}")
            count += 1
        file.write("\n]}\n")
    return count


# The tables that every GeoPackage has, and the reference systems that have to be in them (OGC 12-128, 1.1.2).
_TABLES = """
PRAGMA application_id = 1196444487;
PRAGMA user_version = 10300;
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER PRIMARY KEY, organization TEXT NOT NULL,
    organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
    description TEXT DEFAULT '', last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL UNIQUE REFERENCES gpkg_contents(table_name),
    column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL,
    m TINYINT NOT NULL, PRIMARY KEY (table_name, column_name));
CREATE TABLE labels (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom BLOB, class TEXT, "index" INTEGER,
    pixels INTEGER, area DOUBLE);
INSERT INTO gpkg_geometry_columns VALUES ('labels', 'geom', 'POLYGON', {system}, 0, 0);
"""
_UNDEFINED = (
    ("Undefined Cartesian SRS", -1, "NONE", -1, "undefined"),
    ("Undefined geographic SRS", 0, "NONE", 0, "undefined"),
)
_WITHOUT_CODE = 100_000


def _write_geopackage(path: Path, raster: Any, outlines: Iterator[Outline], space: LabelSpace) -> int:
    known = [*_UNDEFINED, _system("EPSG:4326")]
    own = _UNDEFINED[0] if raster.crs is None else _system(raster.crs)
    with closing(sqlite3.connect(path)) as base:
        base.execute("PRAGMA journal_mode = OFF")  # a file that is not finished is thrown away
        base.executescript(_TABLES.format(system=own[1]))
        base.executemany("INSERT OR IGNORE INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)", [*known, own])
        bounds = tuple(raster.bounds)
        base.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, min_x, min_y, max_x, max_y, srs_id) "
            "VALUES ('labels', 'features', 'labels', ?, ?, ?, ?, ?)",
            (*bounds, own[1]),
        )
        base.executemany(
            'INSERT INTO labels (geom, class, "index", pixels, area) VALUES (?, ?, ?, ?, ?)',
            ((_blob(one.rings, own[1]), space.names[one.index], one.index, one.pixels, one.area) for one in outlines),
        )
        base.commit()
        count = int(base.execute("SELECT count(*) FROM labels").fetchone()[0])
    return count


def _system(crs: Any) -> tuple[str, int, str, int, str]:
    """A reference system as GeoPackages list it: name, number, organisation, its number there, definition."""
    found = require("rasterio.crs", "geo").CRS.from_user_input(crs)
    code = found.to_epsg()
    name = f"EPSG:{code}" if code else "the raster's own"
    return name, code or _WITHOUT_CODE, "EPSG" if code else "NONE", code or _WITHOUT_CODE, found.to_wkt()


def _blob(rings: list[Ring], system: int) -> bytes:
    """A polygon as GeoPackages store it: a header, then well-known binary, little-endian."""
    parts = [struct.pack("<2sBBi", b"GP", 0, 1, system), struct.pack("<BII", 1, 3, len(rings))]
    for ring in rings:
        parts += [struct.pack("<I", len(ring)), ring.astype("<f8").tobytes()]
    return b"".join(parts)


def _simplified(ring: Ring, tolerance: float) -> Ring:
    """A ring with fewer corners; one that would be no area any more stays as it is."""
    if not tolerance:
        return ring
    points = ring[:-1]
    # Near the origin and in units of the tolerance: OpenCV computes in float32.
    near = ((points - points[0]) / tolerance).astype(np.float32)
    corners = cv2.approxPolyDP(near[:, None], 1.0, closed=True)[:, 0].astype(np.float64)
    plain = corners * tolerance + points[0]
    return np.concatenate([plain, plain[:1]]) if len(plain) > 2 else ring
