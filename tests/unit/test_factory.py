from pathlib import Path

import pytest

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
