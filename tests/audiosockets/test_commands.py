"""Parts of the commands; test_cli runs them whole."""

import pytest

from audiosockets import ConfigError, Processor
from audiosockets.commands import assignment, find_processor
from audiosockets.processors import BUNDLED
from audiosockets.processors.level import Level


@pytest.mark.parametrize(
    "text, expected",
    [
        ("layer=5", ("layer", "5")),
        ("workers=5", ("workers", 5)),
        ("again=true", ("again", True)),
        ("layers=audio,results", ("layers", ["audio", "results"])),
        ('layers=["audio"]', ("layers", ["audio"])),
        ("layers=火事", ("layers", ["火事"])),
    ],
)
def test_options_are_read_by_the_kind_of_their_default(text: str, expected: tuple[str, object]) -> None:
    assert assignment(text, Processor.options()) == expected


def test_processors_are_found_by_name() -> None:
    assert find_processor("level") is Level
    for name in BUNDLED:
        assert find_processor(name).__doc__
    with pytest.raises(ConfigError):
        find_processor("audiosockets.commands:run")
