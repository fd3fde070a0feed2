"""The model card: what a bundle is, what it was made from, how well it does, and where it stops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intarsia.bundle import Description
from intarsia.yamltext import write_yaml

_HEADINGS = {"data": "Data", "terms": "Terms", "license": "Licence", "limits": "Limits"}


def model_card(bundle: Description, *, name: str = "") -> str:
    """The card of a bundle as Markdown.

    Args:
        bundle: the model; its `card` notes become sections of their own, `data`, `terms`, `license` and `limits` first.
        name: heading of the card; the recipe's name by default.
    """
    recipe = bundle.recipe or {}
    title = name or str(recipe.get("name") or bundle.architecture)
    parts = [f"# {title}"]
    if recipe.get("description"):
        parts.append(str(recipe["description"]))
    parts.append(
        f"- architecture: {bundle.architecture}{_options(bundle.options)}\n"
        f"- parameters: {_count(bundle.parameters())}\n"
        f"- classes ({len(bundle.space)}): {', '.join(bundle.space.names)}\n"
        f"- input: {bundle.preprocessing.describe()}"
    )
    for key in [*(key for key in _HEADINGS if key in bundle.card), *(k for k in bundle.card if k not in _HEADINGS)]:
        parts.append(f"## {_HEADINGS.get(key, key.replace('_', ' ').capitalize())}\n\n{bundle.card[key]}")
    if bundle.metrics:
        parts.append("## Metrics\n\n" + _metrics(bundle))
    if recipe:
        text = write_yaml(recipe).rstrip("\n")
        parts.append(f"## Recipe\n\n```yaml\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def _count(parameters: int) -> str:
    """Millions, or thousands where there is no tenth of a million."""
    return f"{parameters / 1e6:.1f} million" if parameters >= 100_000 else f"{parameters / 1e3:.0f} thousand"


def _options(options: Mapping[str, Any]) -> str:
    text = ", ".join(f"{key}={value}" for key, value in options.items())
    return f" ({text})" if text else ""


def _metrics(bundle: Description) -> str:
    """Mean scores as one line, scores per class as a table; scores that do not exist as a dash."""
    means: dict[str, Any] = {}
    per_class: dict[str, dict[str, Any]] = {}
    for key, value in bundle.metrics.items():
        column, slash, name = key.partition("/")
        if slash and name in bundle.space.names:
            per_class.setdefault(column, {})[name] = value
        else:
            means[key] = value
    text = ", ".join(f"{key} {_number(value)}" for key, value in means.items())
    if not per_class:
        return text
    rows = [f"| class | {' | '.join(per_class)} |", f"|---|{'---:|' * len(per_class)}"]
    for name in bundle.space.names:
        rows.append(f"| {name} | {' | '.join(_number(column.get(name)) for column in per_class.values())} |")
    return f"{text}\n\n" + "\n".join(rows)


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
