"""PAGE and ALTO: the real pages, both formats' spellings, bad files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from intarsia.annotations.document import Shape
from intarsia.annotations.formats import page
from intarsia.annotations.geometry import Polygon, Polyline, Rectangle
from intarsia.annotations.tools import recognise
from intarsia.errors import DataError

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
<Metadata><Creator>x</Creator></Metadata>
<Page imageFilename="scans/a.jpg" imageWidth="100" imageHeight="80">
  <ReadingOrder><OrderedGroup id="o"><RegionRefIndexed regionRef="r1" index="0"/></OrderedGroup></ReadingOrder>
  <TextRegion id="r1" type="paragraph"><Coords points="1,2 90,2 90,70"/>
    <TextLine id="l1" custom="readingOrder {index:0;} structure {type:heading;}"><Coords points="1,2 50,2 50,9 1,9"/>
      <Baseline points="1,8 50,8"/>
      <Word id="w1"><Coords points="1,2 20,2 20,9"/><TextEquiv><Unicode>good</Unicode></TextEquiv></Word>
      <TextEquiv index="1"><Unicode>bad day</Unicode></TextEquiv>
      <TextEquiv index="0"><Unicode>good day</Unicode></TextEquiv>
    </TextLine>
    <TextLine id="l2"><Coords><Point x="1" y="2"/><Point x="3" y="4"/><Point x="5" y="2"/></Coords></TextLine>
    <TextLine id="l3"><Coords points="1,2 3,4"/></TextLine>
    <TextLine id="l4"/>
  </TextRegion>
  <ImageRegion id="r2"><Coords points="1,2 90,2 nan,70"/></ImageRegion>
</Page></PcGts>"""

ALTO = """<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#">
<Description><MeasurementUnit>{unit}</MeasurementUnit>
<sourceImageInformation><fileName>C:\\scans\\a.jpg</fileName></sourceImageInformation></Description>
<Tags><OtherTag ID="T1" LABEL="MainZone"/></Tags>
<Layout><Page WIDTH="200" HEIGHT="160"><PrintSpace>
  <TextBlock ID="b1" TAGREFS="T1" HPOS="10" VPOS="20" WIDTH="30" HEIGHT="40">
    <TextLine ID="l1" BASELINE="18" HPOS="10" VPOS="10" WIDTH="20" HEIGHT="10">
      <String CONTENT="good" HPOS="10" VPOS="10" WIDTH="9" HEIGHT="10"/><SP/><String CONTENT="da"/><HYP CONTENT="-"/>
    </TextLine>
    <TextLine ID="l2" BASELINE="1,2 3,4" HPOS="1" VPOS="1" WIDTH="2" HEIGHT="3">
      <Shape><Polygon POINTS="1 1 3 1 3 4"/></Shape>
      <String CONTENT="all" HPOS="1" VPOS="1" WIDTH="2" HEIGHT="3"/>
    </TextLine>
    <TextLine ID="l3" BASELINE="1 2 3"/>
  </TextBlock>
  <Illustration ID="i1" HPOS="1" VPOS="2" WIDTH="3" HEIGHT="4"/>
</PrintSpace></Page></Layout></alto>"""


def test_page(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(PAGE)
    Image.new("RGB", (100, 80)).save(tmp_path / "a.jpg")
    opened = page.read(tmp_path)
    (found,) = opened.images()
    assert (found.name, found.image, found.width, found.height) == ("scans/a.jpg", tmp_path / "a.jpg", 100, 80)
    region, line, baseline, word, second = found.shapes
    assert region == Shape(
        "TextRegion", Polygon.of([(1, 2), (90, 2), (90, 70)]), attributes={"id": "r1", "type": "paragraph"}
    )
    text = {"id": "l1", "type": "heading", "text": "good day"}
    assert line == Shape("TextLine", Polygon.of([(1, 2), (50, 2), (50, 9), (1, 9)]), 1, attributes=text)
    assert baseline == Shape("Baseline", Polyline(((1, 8), (50, 8))), 1, attributes=text)
    assert (word.label, word.attributes) == ("Word", {"id": "w1", "text": "good"})
    assert (second.geometry, second.instance) == (Polygon.of([(1, 2), (3, 4), (5, 2)]), 2)
    assert opened.lost.count("dropped", "fewer than 3 points") == 1
    assert opened.lost.count("dropped", "no <Coords>") == 1
    assert opened.lost.count("dropped", "not finite") == 1
    (typed,) = page.read(tmp_path, by_type=True).images()
    assert [shape.label for shape in typed.shapes] == ["paragraph", "heading", "Baseline", "Word", "TextLine"]


def test_alto(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(ALTO.format(unit="pixel"))
    opened = page.read(tmp_path)
    (found,) = opened.images()
    assert (found.name, found.width, found.height) == ("scans/a.jpg", 200, 160)
    region, line, baseline, word, second, base, picture = found.shapes
    assert region.geometry == Rectangle(10, 20, 40, 60)
    assert region.attributes == {"id": "b1", "type": "MainZone"}
    assert (line.geometry, line.attributes["text"]) == (Rectangle(10, 10, 30, 20), "good da-")
    assert baseline.geometry == Polyline(((10, 18), (30, 18)))
    assert (word.label, word.geometry) == ("Word", Rectangle(10, 10, 19, 20))
    assert (second.geometry, second.instance) == (Polygon.of([(1, 1), (3, 1), (3, 4)]), 2)
    assert (base.geometry, base.instance) == (Polyline(((1, 2), (3, 4))), 2)
    assert (picture.label, picture.geometry) == ("ImageRegion", Rectangle(1, 2, 4, 6))
    assert opened.lost.count("dropped", "not a number") == 1
    assert opened.lost.count("dropped", "not pairs") == 1


def test_other_units_need_the_image(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(ALTO.format(unit="mm10"))
    with pytest.raises(DataError, match="its unit is mm10, which only the image's own size turns into pixels"):
        list(page.read(tmp_path))
    Image.new("RGB", (100, 320)).save(tmp_path / "a.jpg")
    (found,) = page.read(tmp_path).images()
    assert (found.width, found.height) == (100, 320)
    assert found.shapes[0].geometry == Rectangle(5, 40, 20, 120)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<alto><Layout/></alto>", "there is no <Page>"),
        ("<PcGts><Metadata/></PcGts>", "there is no <Page>"),
        ("<html/>", "neither PAGE nor ALTO"),
        ("<alto><Layout><Page WIDTH='x'/></Layout></alto>", "the page's WIDTH is 'x'"),
        ("<PcGts><Page imageWidth='-1' imageHeight='2'/></PcGts>", "imageWidth is '-1'"),
        ("<alto>", "broken XML"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(DataError, match=reason) as caught:
        list(page.read(tmp_path / "a.xml"))
    assert "a.xml" in str(caught.value)


def test_the_real_pages(real_data: Path) -> None:
    folder = real_data / "handwriting"
    if not folder.is_dir():
        pytest.skip(f"no pages at {folder}")
    opened = page.read(folder)
    found = list(opened.images())
    assert len(found) == 6
    assert Counter(shape.label for image in found for shape in image.shapes) == {
        "TextLine": 238, "Baseline": 238, "TextRegion": 19,
    }  # fmt: skip
    assert not opened.lost
    for image in found:
        assert image.image is not None
        with Image.open(image.image) as picture:
            assert (image.width, image.height) == picture.size
    line = next(shape for shape in found[1].shapes if shape.label == "TextLine")
    assert line.attributes["type"] == "DefaultLine"
    assert line.attributes["text"] == "uí veust oír chancõ de biau semblãt"
    tool = recognise(folder)
    assert tool is not None
    assert tool.name == "page"
