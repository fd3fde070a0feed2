"""The report page: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

import numpy as np

from intarsia.labels import LabelSpace
from intarsia.metrics import ConfusionMatrix, Scores
from intarsia.reports import curves, pictures
from intarsia.reports.curves import Points
from intarsia.reports.pictures import Sample


@dataclass(frozen=True)
class Content:
    """Everything that a report shows.

    Args:
        title: heading of the page.
        facts: (name, value) pairs of what was trained, on what, with which outcome.
        recipe: the resolved recipe as YAML.
        log: curves by column of the training log.
        space: classes and their colours.
        matrix: confusion matrix of the evaluated split.
        samples: pictures spread over the split.
        worst: the pictures with the lowest scores, worst first.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    recipe: str
    log: Mapping[str, Points]
    space: LabelSpace
    matrix: ConfusionMatrix
    samples: Sequence[Sample]
    worst: Sequence[Sample]


def page(content: Content) -> str:
    """The whole report as one self-contained HTML document."""
    scores = content.matrix.compute()
    return document(
        content.title,
        [
            ("Outcome", tiles(outcome(scores)) + facts(content.facts)),
            ("Curves", _charts(content.log)),
            ("Classes", classes(content.space, scores)),
            ("Confusion", confusion(content.space, content.matrix)),
            ("Samples", gallery(content.samples, content.space)),
            ("Worst pictures", gallery(content.worst, content.space)),
            ("Recipe", f"<details><summary>The resolved recipe</summary><pre>{escape(content.recipe)}</pre></details>"),
        ],
    )


def document(title: str, sections: Iterable[tuple[str, str]]) -> str:
    """One self-contained page of (heading, HTML) sections; sections without content are left out."""
    body = "".join(f"<section><h2>{heading}</h2>{html}</section>" for heading, html in sections if html)
    title = escape(title)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{title}</h1>{body}<footer>Written by Intarsia.</footer></main></body></html>\n"
    )


def outcome(scores: Scores) -> list[tuple[str, float]]:
    """The means that stand at the top of a report."""
    return [
        ("mean IoU", scores.miou),
        ("pixel accuracy", scores.pixel_accuracy),
        ("mean accuracy", scores.mean_accuracy),
        ("mean F1", scores.mean_f1),
        ("frequency-weighted IoU", scores.fwiou),
    ]


def tiles(values: Iterable[tuple[str, float]]) -> str:
    """Large numbers side by side."""
    cells = "".join(f"<div><b>{number(value)}</b><span>{name}</span></div>" for name, value in values)
    return f'<div class="tiles">{cells}</div>'


def facts(values: Iterable[tuple[str, str]]) -> str:
    """A plain table of names and values."""
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in values)
    return f'<table class="facts">{rows}</table>' if rows else ""


def _charts(log: Mapping[str, Points]) -> str:
    """Loss, learning rates and main score side by side; other validation columns share one more chart."""
    log = {name: points for name, points in log.items() if len(points) > 1}  # one epoch makes no curve
    losses = {name: points for name, points in log.items() if "loss" in name}
    rates = {name: points for name, points in log.items() if name.startswith("lr")}
    wanted = ("val_miou", "val_pixel_accuracy", "val_mean_accuracy", "val_mean_f1")
    marks = {name: log[name] for name in wanted if name in log}
    charts = [
        curves.chart("Loss", losses),
        curves.chart("Validation scores", marks),
        curves.chart("Learning rate", rates),
    ]
    return f'<div class="charts">{"".join(charts)}</div>' if any(charts) else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]], colors: Sequence[str] = ()) -> str:
    """A table of texts, the first of each row its name, with a patch of colour before it if there are `colors`."""
    patches = [f'<i style="background:{color}"></i>' for color in colors]
    lines = []
    for index, (name, *cells) in enumerate(rows):
        patch = patches[index] if patches else ""
        lines.append(f"<tr><th>{patch}{escape(name)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    headings = "".join(f"<th>{escape(heading)}</th>" for heading in head)
    return f'<table class="classes"><thead><tr>{headings}</tr></thead><tbody>{"".join(lines)}</tbody></table>'


def classes(space: LabelSpace, scores: Scores) -> str:
    """One row a class: bars for its scores, its share of the pixels."""
    rows = []
    for index, name in enumerate(space.names):
        color = css(space.palette[index])
        cells = "".join(
            bar(float(values[index]), color) for values in (scores.iou, scores.f1, scores.accuracy, scores.precision)
        )
        rows.append(
            f'<tr><th><i style="background:{color}"></i>{escape(name)}</th>{cells}'
            f"<td>{_percent(float(scores.frequency[index]))}</td></tr>"
        )
    head = "<tr><th>Class</th><th>IoU</th><th>F1</th><th>Recall</th><th>Precision</th><th>Share of pixels</th></tr>"
    return (
        f'<table class="classes"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>'
        '<p class="dim">A dash: the class occurs neither in the truth nor in the predictions, and is left out of means.'
        "</p>"
    )


def bar(value: float, color: str) -> str:
    """A table cell with a number from 0 to 1 and its bar."""
    if math.isnan(value):
        return "<td>&ndash;</td>"
    width = round(100 * value, 1)
    return f'<td><span class="bar"><s style="width:{width}%;background:{color}"></s></span>{value:.3f}</td>'


def confusion(space: LabelSpace, matrix: ConfusionMatrix) -> str:
    """Heat map of the rows' shares; classes absent from the truth have no row."""
    head = "".join(f"<th><div>{escape(name)}</div></th>" for name in space.names)
    rows = []
    for index, name in enumerate(space.names):
        counts = matrix.counts[index]
        total = int(counts.sum())
        if not total:
            continue
        cells = []
        for column, other in enumerate(space.names):
            share = float(counts[column]) / total
            shade = "0,114,178" if column == index else "213,94,0"
            text = f"{100 * share:.0f}" if share >= 0.005 else ""
            ink = ";color:#fff" if share > 0.6 else ""
            cells.append(
                f'<td style="background:rgba({shade},{share:.3f}){ink}"'
                f' title="{escape(name)} taken for {escape(other)}: {100 * share:.2f} %">{text}</td>'
            )
        rows.append(f"<tr><th>{escape(name)}</th>{''.join(cells)}</tr>")
    return (
        '<p class="dim">Rows are the truth, columns the prediction; numbers are percent of the row.</p>'
        f'<div class="wide"><table class="confusion"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def gallery(samples: Sequence[Sample], space: LabelSpace) -> str:
    """Pictures with truth, prediction and what is wrong between them."""
    if not samples:
        return ""
    shown = {int(label) for sample in samples for label in _labels(sample) if label < len(space)}
    key = "".join(
        f'<span><i style="background:{css(space.palette[label])}"></i>{escape(space.names[label])}</span>'
        for label in sorted(shown)
    )
    rows = []
    for sample in samples:
        name = escape(sample.name)
        figures = [] if sample.image is None else [("photo", pictures.photo_uri(sample.image))]
        if sample.truth is not None:
            figures.append(("truth", pictures.labels_uri(sample.truth, space)))
        figures.append(("prediction", pictures.labels_uri(sample.prediction, space)))
        if sample.truth is not None:
            difference = pictures.difference_uri(sample.image, sample.truth, sample.prediction, space)
            figures.append(("wrong in red", difference))
        cells = "".join(
            f'<figure><img src="{uri}" alt="{label} of {name}" loading="lazy"><figcaption>{label}</figcaption></figure>'
            for label, uri in figures
        )
        note = f' <span class="dim">{escape(sample.note)}</span>' if sample.note else ""
        link = f' <a href="{escape(quote(sample.page))}">in 3D</a>' if sample.page else ""
        rows.append(f'<h3>{name}{note}{link}</h3><div class="sample">{cells}</div>')
    return f'<p class="key">{key}</p>{"".join(rows)}'


def _labels(sample: Sample) -> set[int]:
    maps = [sample.prediction] if sample.truth is None else [sample.prediction, sample.truth]
    return {int(label) for labels in maps for label in np.unique(labels)}


def css(color: tuple[int, int, int]) -> str:
    """A colour as style sheets write it."""
    return f"rgb({color[0]},{color[1]},{color[2]})"


def number(value: float) -> str:
    """Three decimals, or a dash for a score that does not exist."""
    return "&ndash;" if math.isnan(value) else f"{value:.3f}"


def _percent(value: float) -> str:
    return "&ndash;" if math.isnan(value) else f"{100 * value:.2f} %"


_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#667080;--line:#dfe3e8;--paper:#fff;--soft:#f5f7f9}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--dim:#98a2b0;--line:#343b44;--paper:#16191d;--soft:#1f242a}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px}
h1{font-size:26px;margin:8px 0 0}h2{font-size:18px;margin:36px 0 12px;border-bottom:1px solid var(--line)}
h3{font-size:14px;margin:18px 0 6px}.dim{color:var(--dim);font-weight:400}footer{margin:48px 0 0;color:var(--dim)}
table{border-collapse:collapse}th{font-weight:500;text-align:left}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin-bottom:16px}
.tiles div{background:var(--soft);border-radius:8px;padding:12px 16px;flex:1 1 150px}
.tiles b{display:block;font-size:24px;font-weight:600}.tiles span{color:var(--dim);font-size:13px}
.facts th{color:var(--dim);padding:2px 16px 2px 0;vertical-align:top;white-space:nowrap}.facts td{padding:2px 0}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(310px,1fr));gap:16px}
figure{margin:0}figcaption{font-size:13px}
.chart{background:var(--soft);border-radius:8px;padding:12px}
.chart svg{width:100%;display:block}.chart text{font-size:11px;fill:var(--dim)}
.chart .grid{stroke:var(--line)}.chart polyline{fill:none;stroke-width:1.6;stroke-linejoin:round}
i{display:inline-block;width:11px;height:11px;border-radius:2px;margin-right:6px;outline:1px solid var(--line)}
.key span{margin-right:12px;white-space:nowrap}.key{font-size:13px;margin:6px 0 0}
.classes{width:100%}.classes th,.classes td{padding:4px 10px 4px 0;border-bottom:1px solid var(--line)}
.classes thead th{color:var(--dim);font-size:13px}.classes td{font-variant-numeric:tabular-nums;white-space:nowrap}
.bar{display:inline-block;width:84px;height:8px;border-radius:4px;background:var(--soft);margin-right:8px;
outline:1px solid var(--line);overflow:hidden;vertical-align:middle}.bar s{display:block;height:100%}
.wide{overflow-x:auto}.confusion{font-size:12px}.confusion td{width:38px;height:30px;text-align:center;
border:1px solid var(--line)}.confusion th{padding-right:8px;white-space:nowrap}
.confusion thead th{vertical-align:bottom;padding:0 0 4px;text-align:center}
.confusion thead div{writing-mode:vertical-rl;transform:rotate(180deg);margin:auto}
.sample{display:grid;grid-template-columns:repeat(4,1fr);gap:8px}.sample img{width:100%;display:block;border-radius:4px}
.sample figcaption{color:var(--dim)}
pre{background:var(--soft);padding:14px;border-radius:8px;overflow:auto;font-size:13px}summary{cursor:pointer}
@media (max-width:640px){.sample{grid-template-columns:repeat(2,1fr)}}
"""
