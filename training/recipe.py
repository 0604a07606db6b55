"""A recipe: one YAML file that says which data, which model and which training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """One row of `recipes/`: its name is the model's name."""

    name: str
    data: dict[str, Any]
    curriculum: list[dict[str, Any]]  # max_seconds, max_epoch, and what differs from `asr`
    asr: dict[str, Any]  # ESPnet2's ASR training configuration
    pack: dict[str, Any]

    @property
    def work(self) -> Path:
        """Where the stages leave their files; not part of the repository."""
        return Path("training") / "runs" / self.name

    @property
    def space(self) -> str:
        """What stands between two words: nothing in Japanese, where each kana counts as one."""
        return " " if self.data["lang"] == "en" else ""


def load_recipe(name: str) -> Recipe:
    path = RECIPES / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yaml")))
        raise SystemExit(f"no recipe named {name!r}; there are: {known}")
    return Recipe(name=name, **yaml.safe_load(path.read_text(encoding="utf-8")))
