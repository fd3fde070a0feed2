"""`intarsia recipes`: the experiments that ship with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intarsia.cli.output import Json, emit, table
from intarsia.cli.target import Overwrite, require_new
from intarsia.zoo import bundled_recipe, bundled_recipes

app = typer.Typer(
    help="Ready-made experiments: list them, read them, copy one and make it yours.", no_args_is_help=True
)
Name = Annotated[str, typer.Argument(help="Recipe name; `intarsia recipes list` shows them.")]


@app.command("list")
def list_recipes(json: Json = False) -> None:
    """List the bundled recipes."""
    from intarsia.recipe import Recipe

    found = [(name, Recipe.load(path)) for name, path in bundled_recipes().items()]
    if json:
        emit([{"name": name, "description": recipe.description} for name, recipe in found])
    else:
        table(("Recipe", "Architecture", "What for"), [(n, r.model.architecture, r.description) for n, r in found])
        typer.echo("Next:  intarsia recipes copy NAME   then   intarsia train NAME.yaml")


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Print a recipe with its comments (with --json: resolved, every default filled in)."""
    from intarsia.recipe import Recipe

    path = bundled_recipe(name)
    if json:
        emit(Recipe.load(path).to_dict())
    else:
        typer.echo(path.read_text(encoding="utf-8").rstrip("\n"))


@app.command()
def copy(
    name: Name,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File to write, or folder to copy to; default: NAME.yaml here.")
    ] = None,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Copy a recipe to edit it."""
    from intarsia.files import write_text

    source = bundled_recipe(name)
    target = Path(source.name) if out is None else out / source.name if out.is_dir() else out
    require_new(target, overwrite=overwrite)
    write_text(target, source.read_text(encoding="utf-8"))
    if json:
        emit({"recipe": name, "path": str(target)})
    else:
        typer.echo(f"Copied to {target}. Edit it, then:  intarsia train {target}")


@app.command()
def keys(
    search: Annotated[str, typer.Argument(metavar="WORD", help="Only keys whose name or meaning holds it.")] = "",
    json: Json = False,
) -> None:
    """List every key of a recipe: what it may be, its default and what it says."""
    from intarsia.cli.keys import recipe_keys

    found = [key for key in recipe_keys() if search.lower() in f"{key.name} {key.about}".lower()]
    if json:
        emit([vars(key) for key in found])
    else:
        table(("Key", "Value", "Default", ""), [(k.name, k.form.replace("`", ""), k.default, k.about) for k in found])
