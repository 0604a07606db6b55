from pathlib import Path

import pytest

from hub.factory import build_hub
from hub.stream import Depth
from hub.wire import Format
from protocol.events import Access
from recognizer.base import ModelError
from recognizer.factory import build_backends
from settings import Settings
from tests.unit.test_models import package, write_zip


def test_languages_that_name_the_same_model_share_its_workers(tmp_path: Path) -> None:
    one, two = (str(write_zip(tmp_path / name, package())) for name in ("one.zip", "two.zip"))
    models = {"en": one, "de": one, "ja": two}
    backends = build_backends(Settings(models=models, cache_dir=str(tmp_path / "cache")))
    assert backends["en"] is backends["de"] is not backends["ja"]


def test_a_model_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        build_backends(Settings(models={"en": "missing.zip"}, cache_dir=str(tmp_path)))


def test_the_hub_follows_the_settings() -> None:
    settings = Settings(models={"en": "m", "ja": "n"}, default_lang="ja", stream_history_mb=2.5, max_shared_streams=3)
    hub = build_hub(settings)
    assert hub.rules.depth == Depth(30.0, 2_500_000) and hub.rules.max_streams == 3 and not hub.rules.open
    assert hub.langs == ["ja", "en"]
    tokens = {hub.open(name, Format("s16le", 8_000), Access()).keys.listen for name in "ab"}
    assert len(tokens) == 2 and all(len(token) >= 43 for token in tokens), "256 bits"
