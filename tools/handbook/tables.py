"""Pages of what can be named: architectures, losses, measures, tools, data sets, models, exit codes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from intarsia import errors


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in rows), ""])


def _first(documented: Any) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def _options(options: dict[str, Any]) -> str:
    said = {name: None if value is inspect.Parameter.empty else value for name, value in options.items()}
    return ", ".join(f"`{name}={_value(value)}`" for name, value in said.items()) or "none"


def _value(value: Any) -> str:
    text: str = yaml.safe_dump(
        list(value) if isinstance(value, tuple) else value, default_flow_style=True, width=10_000
    )
    return text.removesuffix("\n").removesuffix("\n...")


def architectures_page() -> str:
    """Every architecture, medium by medium, with its paper and its options."""
    from intarsia.models import architectures_by_medium

    titles = {"image": "Of pictures, maps and volumes", "video": "Of video", "cloud": "Of point clouds"}
    parts = [
        "# Architectures\n\nWhat `model.architecture` of a recipe can name, and `model.options` with their defaults. "
        "[What is checked of each](../architectures.md), [classical methods](../classical.md), [video](../video.md), "
        "[point clouds](../clouds.md).\n"
    ]
    for medium, known in architectures_by_medium().items():
        parts.append(f"## {titles[medium]}\n")
        for name, one in known.items():
            options = f"Options: {_options(one.options)}."
            parts.append(f"### {name}\n\n{one.summary}\n\nPaper: {one.paper}.\n\n{options}\n")
    return "\n".join(parts)


def losses_page() -> str:
    """Every loss with its options."""
    from intarsia.losses import build_loss, loss_names, loss_options

    built = {name: build_loss(name, ignore_index=255, options={}) for name in loss_names()}
    rows = [(f"`{name}`", _first(type(loss)), _listed(loss_options(name))) for name, loss in built.items()]
    head = (
        "# Losses by name\n\nWhat `training.loss` of a recipe can name, and the options of each. "
        "[Formulas, defaults, conventions, and which one](../losses.md).\n"
    )
    return f"{head}\n{_table(('name', 'what it is', 'options'), rows)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def metrics_page() -> str:
    """What can be measured besides the confusion matrix, and the classes of `intarsia.metrics`."""
    import intarsia.metrics as metrics
    from intarsia.evaluation.measures import options

    measures = [(f"`--{name}`", one.about) for name, one in options().items()]
    classes = [(f"`{name}`", _first(getattr(metrics, name))) for name in metrics.__all__]
    return "\n".join(
        [
            "# Metrics by name\n\n[Definitions and conventions](../metrics.md) stand on a page of their own.\n",
            "## Asked for on the command line\n\nOf `intarsia evaluate` and `intarsia metrics`, beside IoU, F1, "
            "precision and recall, which are always told.\n",
            _table(("option", "what is measured"), measures),
            "## In Python\n\nAll of `intarsia.metrics`; those that gather have `update`, `merge` and `compute`.\n",
            _table(("name", "what it is"), classes),
        ]
    )


def tools_page() -> str:
    """Every annotation tool."""
    from intarsia.annotations.tools import tools

    rows = [
        (f"`{name}`", tool.about, "yes" if tool.read else "no", "yes" if tool.write else "no", tool.drawing.rule)
        for name, tool in tools().items()
    ]
    head = (
        "# Annotation tools by name\n\nWhat `--from`, `--to` and `--annotations` can name. "
        "[How their files are read, written and drawn](../annotations.md).\n"
    )
    return f"{head}\n{_table(('name', 'files', 'read', 'written', 'drawn by rule'), rows)}"


def data_page() -> str:
    """Every public data set and every layout of one's own data."""
    from intarsia.datasets.catalogue import layouts_of, own_layouts
    from intarsia.datasets.public import ENTRIES

    public = [
        (f"`{name}`", entry.title, entry.license, ", ".join(f"`{one}`" for one in layouts_of(name)))
        for name, entry in ENTRIES.items()
    ]
    own = [(f"`{name}`", layout.about) for name, layout in own_layouts().items()]
    return "\n".join(
        [
            "# Data sets and layouts by name\n\nWhat `--layout` and `data.layout` can name. "
            "[How data are read](../datasets.md).\n",
            "## Public data sets\n",
            _table(("name", "what it is", "licence", "layouts"), public),
            "## Your own data\n",
            _table(("layout", "what it is"), own),
        ]
    )


def models_page() -> str:
    """Every bundled model, with a link to its card."""
    from intarsia.bundle import Description
    from intarsia.zoo import bundled_models

    rows = []
    for name, path in bundled_models().items():
        model = Description.load(path)
        size = f"{path.stat().st_size / 1e6:.1f} MB"
        rows.append(
            (
                f"[`{name}`](../models/{name}.md)",
                ", ".join(model.space.names),
                size,
                model.card.get("license") or model.card.get("terms", ""),
            )
        )
    head = (
        "# Bundled models\n\nWhat `-m` can name without any training; each name leads to its card: data, terms, "
        "limits. [Licences](../licences.md) of them all.\n"
    )
    return f"{head}\n{_table(('name', 'classes', 'size', 'licence'), rows)}"


def exit_codes_page() -> str:
    """How commands end."""
    from intarsia.cli.main import NOBODY_READS
    from intarsia.stopping import INTERRUPTED, TERMINATED

    raised = (errors.UsageError, errors.DataError, errors.ModelError)
    rows = [
        ("0", "done", ""),
        ("1", "partly done, or what is looked for is not there", "`NothingFound`, where nothing else was done"),
        *((str(one.exit_code), _first(one).rstrip("."), f"`{one.__name__}`") for one in raised),
        (str(INTERRUPTED), "stopped by Ctrl-C; whole files stay, `--resume` goes on", "`KeyboardInterrupt`"),
        (str(TERMINATED), "ended by SIGTERM (Slurm, systemd, `timeout`)", ""),
        (str(NOBODY_READS), "nobody reads the output any more", ""),
    ]
    head = (
        "# Exit codes\n\nThe same for every command. Errors go to standard error, in sentences that name the thing, "
        "the reason and the fix; with `--json` they are also a document on standard output.\n"
    )
    return f"{head}\n{_table(('code', 'meaning', 'Python raises'), rows)}"
