"""Numbers that pages quote from benchmarks: marked ones are compared with the benchmark's JSON, others are found.

    PYTHONPATH=tools:. python -m handbook.numbers             # what is wrong, and how many are traced
    PYTHONPATH=tools:. python -m handbook.numbers --write     # put the numbers of the JSON files into the pages

``<!-- = crf/500x375x21, all/time/ours * 1000 -->260 ms`` says where 260 comes from: `benchmarks/results/crf.json`, of
its results the rows whose texts contain "500x375x21, all", of these the one that contains "time", its `ours`, times
1000. It is rounded as it stands in the page: 260 to no decimal, .260 to three. `results.py` has the rest.

A measured number without a mark is an error, unless its part of the page is recorded; `counting.py` tells these apart.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from handbook.counting import measured_parts
from handbook.markdown import QUOTED
from handbook.results import NotMeasured, look_up, results_file, results_table
from handbook.stage import ROOT

RECORDED = Path(__file__).with_name("recorded.yaml")
_QUOTE = re.compile(QUOTED + r"(?P<said>\d{4}-\d\d-\d\d|[-+]?[\d,]*\.?\d+)?")
_TABLE = re.compile(r"<!-- table: (?P<name>results|recorded) -->\n.*?<!-- end -->", re.DOTALL)
_HEAD = """# How many measured numbers of each page are recorded, with day, machine and command, but without a JSON.
# They may only become fewer: `PYTHONPATH=tools:. python -m handbook.numbers --write` lowers them.
"""


def numbers_pages(root: Path) -> dict[str, Path]:
    """The pages that quote, by their place in the repository: the README and all of `docs/`."""
    paths = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return {path.relative_to(root).as_posix(): path for path in paths if path.exists()}


def check_numbers(root: Path, allowed: dict[str, int]) -> Iterator[str]:
    """Name marked numbers that are not their JSON's, measured ones without a mark, and too many recorded ones.

    Args:
        root: of the repository.
        allowed: pages by their place, and how many of their numbers may be recorded.
    """
    results = root / "benchmarks" / "results"
    for name, path in numbers_pages(root).items():
        text = path.read_text(encoding="utf-8")
        for quote in _QUOTE.finditer(text):
            if wrong := _wrong_with(quote, results):
                yield f"{name}:{text.count(chr(10), 0, quote.start()) + 1}: {wrong}"
        for table in _TABLE.finditer(text):
            if table[0] != _table(table["name"], root):
                yield f"{name}: its table of {table['name']} numbers is another; write it anew"
        for part in measured_parts(unmarked(text, results)):
            if part.recorded is None:
                yield f"{name}: {part.count} measured numbers of {part.heading!r} have no mark that leads to a JSON"
        count, limit = recorded(text, results), allowed.get(name, 0)
        if count > limit:
            yield f"{name}: {count} measured numbers are recorded without a JSON, and {limit} may be; mark the new ones"


def _table(name: str, root: Path) -> str:
    rows = results_table(root / "benchmarks" / "results") if name == "results" else _recorded_table(root)
    return f"<!-- table: {name} -->\n\n{rows}\n<!-- end -->"


def _recorded_table(root: Path) -> str:
    """Write the table of what is recorded: page, how many numbers, command, day, machine."""
    lines = ["| where | numbers | command | day | machine |", "|---|---:|---|---|---|"]
    for name, path in numbers_pages(root).items():
        for part in measured_parts(unmarked(path.read_text(encoding="utf-8"), root / "benchmarks" / "results")):
            if part.recorded is not None:
                day, machine, command = part.recorded
                page = name.removeprefix("docs/")
                place = f"[{page}]({page})" if page != name else name
                lines.append(f"| {place}: {part.heading} | {part.count} | `{command}` | {day} | {machine} |")
    return "\n".join(lines) + "\n"


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


def unmarked(text: str, results: Path) -> str:
    """A page without the numbers that a JSON stands behind, and without tables that are made."""
    return _QUOTE.sub(lambda quote: (quote["said"] or "") * _is_open(quote, results), _TABLE.sub("", text))


def recorded(text: str, results: Path) -> int:
    """Count the measured numbers of a page that are recorded without a JSON."""
    return sum(part.count for part in measured_parts(unmarked(text, results)) if part.recorded is not None)


def _is_open(quote: re.Match[str], results: Path) -> bool:
    """Whether the benchmark of a mark has left no results yet."""
    return not results_file(quote["place"], results).exists()


def write(root: Path = ROOT, allowances: Path = RECORDED) -> None:
    """Put the numbers of the JSON files into the pages, and lower the allowances to what is left."""
    results, before, counts = root / "benchmarks" / "results", allowed(allowances), {}
    for name, path in numbers_pages(root).items():
        text = path.read_text(encoding="utf-8")
        new = _QUOTE.sub(lambda quote: _renewed(quote, results), text)
        if new != text:
            path.write_text(new, encoding="utf-8")
        counts[name] = min(before.get(name, 0), recorded(new, results))
    for path in numbers_pages(root).values():
        text = path.read_text(encoding="utf-8")
        new = _TABLE.sub(lambda table: _table(table["name"], root), text)
        if new != text:
            path.write_text(new, encoding="utf-8")
    allowances.write_text(_HEAD + yaml.safe_dump({name: count for name, count in counts.items() if count}), "utf-8")


def _renewed(quote: re.Match[str], results: Path) -> str:
    if not quote["said"] or _is_open(quote, results):
        return quote[0]
    return quote[0].removesuffix(quote["said"]) + _wanted(quote, results)


def allowed(allowances: Path = RECORDED) -> dict[str, int]:
    """How many recorded numbers each page may have."""
    return yaml.safe_load(allowances.read_text(encoding="utf-8")) or {} if allowances.exists() else {}


def main() -> int:
    """Check, or write."""
    if sys.argv[1:] == ["--write"]:
        write()
    problems = list(check_numbers(ROOT, allowed()))
    results = ROOT / "benchmarks" / "results"
    texts = [path.read_text(encoding="utf-8") for path in numbers_pages(ROOT).values()]
    traced = sum(not _is_open(quote, results) for text in texts for quote in _QUOTE.finditer(text))
    kept = sum(recorded(text, results) for text in texts)
    print(*problems, f"{traced} numbers are traced to a JSON, {kept} are recorded without one", sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
