"""A model taken apart in torch gives the same numbers as the whole."""

from typing import Any

import pytest

from recognizer.decoding import parts
from tests.integration.test_export import CLOSE, MODELS
from tests.tiny_model import build_tiny_model

pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize("changes", MODELS.values(), ids=MODELS)
def test_the_parts_equal_espnet(changes: dict[str, Any]) -> None:
    model, args = build_tiny_model(**changes)
    assert parts.largest_difference(model, parts.checked_torch_package(model, args, "cpu")) < CLOSE
