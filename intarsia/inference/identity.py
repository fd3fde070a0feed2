"""Identity: what decides the labels that a predictor gives."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Identity:
    """Everything besides the source that decides labels; equal identities give equal labels.

    Attributes:
        model: checksum of weights, classes and preprocessing.
        settings: what the user chose, as plain JSON.
        runtime: what computes: its name, precision and processor.
    """

    model: str
    settings: dict[str, Any]
    runtime: dict[str, Any]

    def checksum(self) -> str:
        """Compute the SHA-256 of all of it."""
        return _sha256([self.model, self.settings, self.runtime])

    def earlier(self) -> str:
        """Compute the checksum that manifests held before they told model, settings and runtime apart."""
        return _sha256([self.model, self.settings])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON form, the keys of a record."""
        return {"model": self.model, "settings": self.settings, "runtime": self.runtime}

    def differences(self, recorded: dict[str, Any]) -> list[str]:
        """Name what differs in a record, in words."""
        found = [] if recorded.get("model") == self.model else ["the model"]
        for key in ("settings", "runtime"):
            mine, other = getattr(self, key), recorded.get(key) or {}
            for name in {**mine, **other}:
                if other.get(name) != mine.get(name):
                    found.append(f"{name} {_shown(other.get(name))} instead of {_shown(mine.get(name))}")
        return found


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
