"""What a training writes down: CSV and JSONL always, TensorBoard on request, a line an epoch on the console."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from intarsia.errors import require
from intarsia.files import write_text

Row = dict[str, Any]


class RunLog:
    """Rows of one run, rewritten whole after each epoch so that a killed and resumed run has each epoch once."""

    def __init__(self, folder: Path, *, tensorboard: bool) -> None:
        self.folder = folder
        self.rows: list[Row] = []
        self._writer: Any = None
        if tensorboard:
            module = require("torch.utils.tensorboard", "tensorboard")
            self._writer = module.SummaryWriter(str(folder / "tensorboard"))

    def restore(self, rows: Sequence[Row]) -> None:
        """Start from the rows of a checkpoint."""
        self.rows = list(rows)

    def add(self, row: Row) -> None:
        """Add one epoch and write the files."""
        self.rows.append(row)
        columns = list(dict.fromkeys(key for entry in self.rows for key in entry))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.folder / "log.csv", text.getvalue())
        write_text(self.folder / "log.jsonl", "".join(json.dumps(entry) + "\n" for entry in self.rows))
        if self._writer is not None:
            for name, value in row.items():
                if isinstance(value, int | float) and name not in ("epoch", "step"):
                    self._writer.add_scalar(name, value, row["step"])
            self._writer.flush()
