"""Archives that training fetches once."""

import hashlib
import sys
from pathlib import Path

import pytest

from training.download import downloaded

CONTENT = "voices"
BRINGS = [sys.executable, "-c", f"import pathlib, sys; (pathlib.Path(sys.argv[1]) / 'a.tgz').write_text({CONTENT!r})"]
SHA256 = hashlib.sha256(CONTENT.encode()).hexdigest()


def test_an_archive_is_fetched_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kept.tgz"
    assert downloaded(path, BRINGS, SHA256) == path
    assert path.read_text() == CONTENT and list(path.parent.iterdir()) == [path]
    assert downloaded(path, [sys.executable, "-c", "raise SystemExit(1)"], SHA256) == path


def test_another_archive_than_the_one_that_is_known_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a.tgz has the SHA-256"):
        downloaded(tmp_path / "kept.tgz", BRINGS, "0" * 64)
    assert list(tmp_path.iterdir()) == []
