"""The models that learnt from a project."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

from intarsia.files import atomic_path
from intarsia.serving.project.names import safe_stem
from intarsia.serving.project.revisions import locked


class Learnt:
    """The models that learnt from a project.

    Args:
        folder: in which the project keeps what is its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def models(self) -> dict[str, Path]:
        """Their files, by name."""
        place = self._folder / "models"
        return {path.stem: path for path in sorted(place.glob("*.safetensors")) if not path.name.startswith(".")}

    def newest(self) -> str | None:
        """The one that learnt last; None where none did."""
        return max(self.models().items(), key=lambda one: one[1].stat().st_mtime_ns, default=(None, None))[0]

    def keep(self, name: str, bundle: Path, *, taken: Collection[str]) -> tuple[str, Path]:
        """Keep one more.

        Args:
            name: that it shall have, or begin with.
            bundle: its file, which is copied.
            taken: names that it may not have.

        Returns:
            Its name and its file.
        """
        with locked(self._folder):
            known = {one.casefold() for one in (*taken, *self.models())}
            found = safe_stem(name, known)
            target = self._folder / "models" / f"{found}.safetensors"
            with atomic_path(target) as temporary:
                shutil.copyfile(bundle, temporary)
        return found, target
