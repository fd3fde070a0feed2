"""Numbers that pages quote from benchmarks: marked ones are compared with the benchmark's JSON, the others are counted.

    PYTHONPATH=tools:. python -m handbook.numbers             # what is wrong, and how many are not traced
    PYTHONPATH=tools:. python -m handbook.numbers --write     # put the numbers of the JSON files into the pages

``<!-- = crf/500x375x21, all/time/ours * 1000 -->260 ms`` says where 260 comes from: `benchmarks/results/crf.json`, of
its results the rows whose texts contain "500x375x21, all", of these the one that contains "time", its `ours`, times
1000. It is rounded as it stands in the page: 260 to no decimal, .260 to three.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from handbook.markdown import QUOTED, Page
from handbook.results import NotMeasured, look_up, results_table
from handbook.stage import ROOT

UNTRACED = Path(__file__).with_name("untraced.yaml")
_QUOTE = re.compile(QUOTED + r"(?P<said>\d{4}-\d\d-\d\d|[-+]?[\d,]*\.?\d+)?")
_TABLE = re.compile(r"<!-- table: results -->\n.*?<!-- end -->", re.DOTALL)
_MEASURED = re.compile(r"\bmeasure[sd]?\b|benchmarks/\w+\.py", re.IGNORECASE)
_UNIT = r"(?= (?:ms|s|MB|GB|MiB|GiB|points|levels|images a second|images/s)\b| ?%|x\b)"
_NUMBER = re.compile(rf"(?<![\w./,-])[-+]?(?:\d*\.\d+(?![\d.]*\.\d)|\d[\d,]*{_UNIT})")
_HEAD = """# How many measured numbers of each page are traced to no JSON of a benchmark. They may only become fewer:
# `PYTHONPATH=tools:. python -m handbook.numbers --write` lowers them, and enters pages that are new.
"""


def numbers_pages(root: Path) -> dict[str, Path]:
    """The pages that quote, by their place in the repository: the README and all of `docs/`."""
    paths = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return {path.relative_to(root).as_posix(): path for path in paths if path.exists()}


def check_numbers(root: Path, allowed: dict[str, int]) -> Iterator[str]:
    """Name marked numbers that are not their JSON's, and pages with more untraced ones than they may have.

    Args:
        root: of the repository.
        allowed: pages by their place, and how many of their numbers may be untraced.
    """
    results = root / "benchmarks" / "results"
    for name, path in numbers_pages(root).items():
        text = path.read_text(encoding="utf-8")
        for quote in _QUOTE.finditer(text):
            if wrong := _wrong_with(quote, results):
                yield f"{name}:{text.count(chr(10), 0, quote.start()) + 1}: {wrong}"
        if any(table[0] != _table(results) for table in _TABLE.finditer(text)):
            yield f"{name}: the table of results is not that of {results.relative_to(root)}; write it anew"
        count, limit = untraced(text, results), allowed.get(name, 0)
        if count > limit:
            yield f"{name}: {count} measured numbers are traced to no JSON, and {limit} may be; mark the new ones"


def _table(results: Path) -> str:
    return f"<!-- table: results -->\n\n{results_table(results)}\n<!-- end -->"


def _wrong_with(quote: re.Match[str], results: Path) -> str:
    """Say what is wrong with a number and its mark, or ""; what was not measured yet is not wrong."""
    if not quote["said"]:
        return f"no number stands behind the mark of {quote['place']}"
    try:
        wanted = _wanted(quote, results)
    except NotMeasured:
        return ""
    except LookupError as error:
        return f"the mark of {quote['said']} leads nowhere: {error.args[0]}"
    return "" if quote["said"] == wanted else f"{quote['said']} should be {wanted}, by {quote['place']}"


def _wanted(quote: re.Match[str], results: Path) -> str:
    """The value of the JSON, in the form in which the page says it."""
    value, said = look_up(quote["place"], results), quote["said"]
    if isinstance(value, str):
        return value
    factor = float(quote["factor"] or 1)
    value = value / factor if quote["sign"] == "/" else value * factor
    form = f"{'+' if said[0] == '+' else ''}{',' if ',' in said else ''}.{len(said.partition('.')[2])}f"
    text = format(value, form)
    return re.sub(r"\b0\.", ".", text) if re.match(r"[-+]?\.", said) else text


def untraced(text: str, results: Path) -> int:
    """Count the measured numbers that no JSON stands behind: decimals, and those with a unit.

    They stand where a part of a page, from a heading or a bold beginning to the next, says "measured" or names a
    benchmark. A page that a script makes from JSON as a whole says so by ``<!-- made: SCRIPT -->``; it has none.
    """
    text = _QUOTE.sub(lambda quote: (quote["said"] or "") * _is_open(quote, results), _TABLE.sub("", text))
    page = Page(Path(), text)
    if page.mark("made") is not None:
        return 0
    spoken, counts, tells = page.text.splitlines(), [0], [False]
    for number, line in page.prose:
        if line.startswith(("#", "**")):
            counts.append(0)
            tells.append(False)
        counts[-1] += len(_NUMBER.findall(re.sub(r"\]\([^)]*\)", "]", line)))
        tells[-1] |= bool(_MEASURED.search(spoken[number - 1]))
    return sum(count for count, measured in zip(counts, tells, strict=True) if measured)


def _is_open(quote: re.Match[str], results: Path) -> bool:
    """Whether the benchmark of a mark has left no results yet."""
    return not (results / f"{quote['place'].partition('/')[0]}.json").exists()


def write(root: Path = ROOT, allowances: Path = UNTRACED) -> None:
    """Put the numbers of the JSON files into the pages, and lower the allowances to what is left."""
    results, before, counts = root / "benchmarks" / "results", allowed(allowances), {}
    for name, path in numbers_pages(root).items():
        text = path.read_text(encoding="utf-8")
        new = _QUOTE.sub(lambda quote: _renewed(quote, results), text)
        new = _TABLE.sub(lambda _: _table(results), new)
        if new != text:
            path.write_text(new, encoding="utf-8")
        counts[name] = min(before.get(name, 10**6), untraced(new, results))
    allowances.write_text(_HEAD + yaml.safe_dump({name: count for name, count in counts.items() if count}), "utf-8")


def _renewed(quote: re.Match[str], results: Path) -> str:
    if not quote["said"] or _is_open(quote, results):
        return quote[0]
    return quote[0].removesuffix(quote["said"]) + _wanted(quote, results)


def allowed(allowances: Path = UNTRACED) -> dict[str, int]:
    """How many untraced numbers each page may have."""
    return yaml.safe_load(allowances.read_text(encoding="utf-8")) or {} if allowances.exists() else {}


def main() -> int:
    """Check, or write."""
    if sys.argv[1:] == ["--write"]:
        write()
    problems = list(check_numbers(ROOT, allowed()))
    results = ROOT / "benchmarks" / "results"
    texts = [path.read_text(encoding="utf-8") for path in numbers_pages(ROOT).values()]
    traced = sum(not _is_open(quote, results) for text in texts for quote in _QUOTE.finditer(text))
    left = sum(untraced(text, results) for text in texts)
    print(*problems, f"{traced} numbers are traced to benchmarks/results, {left} are not", sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
