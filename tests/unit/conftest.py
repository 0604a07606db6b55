"""What unit tests share."""

import pytest

from tests import small_whisper


@pytest.fixture
def _small_whisper(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the place of the downloaded one."""
    from training import whisper, whisper_text

    for name in ("END", "START", "NO_TIMES"):
        monkeypatch.setattr(whisper_text, name, getattr(small_whisper, name))
    monkeypatch.setattr(whisper_text, "ALIKE", 8)
    monkeypatch.setattr(whisper_text, "vocabulary", lambda: (small_whisper.TOKENS, small_whisper.MERGES))
    monkeypatch.setattr(whisper, "fetched", lambda: small_whisper.packed(small_whisper.constants()))
