from pathlib import Path

import pytest

import conf_sample
from settings import RANGES, Settings, SettingsError, load_settings


def test_the_defaults_are_those_of_the_sample(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "conf.py", {})
    sample = {name.lower(): value for name, value in vars(conf_sample).items() if name.isupper()}
    assert vars(settings) == sample


def test_the_environment_stands_over_conf(tmp_path: Path) -> None:
    conf = tmp_path / "conf.py"
    conf.write_text('PORT = 9000\nTITLE = "Ours"\nMODELS = {"ja": "x.zip"}\nDEFAULT_LANG = "ja"\n')
    settings = load_settings(conf, {"SPEECH_PORT": "9001", "SPEECH_SAVE_AUDIO": "True", "HOME": "/"})
    assert (settings.port, settings.title, settings.save_audio) == (9001, "Ours", True)
    assert settings.models == {"ja": "x.zip"}


@pytest.mark.parametrize(
    "environment, complaint",
    [
        ({"SPEECH_PORT": "0"}, "PORT is 0; it must be a number from 1 to 65535"),
        ({"SPEECH_PORT": "eighty"}, "PORT is 'eighty'; it must be of type int"),
        ({"SPEECH_PORT": "true"}, "PORT is True; it must be of type int"),
        ({"SPEECH_SAVE_AUDIO": "yes"}, "SAVE_AUDIO is 'yes'; it must be of type bool"),
        ({"SPEECH_DEVICE": "tpu"}, "DEVICE is 'tpu'; it must be one of 'auto', 'cpu', 'cuda'"),
        ({"SPEECH_LOG_LEVEL": "LOUD"}, "LOG_LEVEL is 'LOUD'"),
        ({"SPEECH_SAMPLE_BITS": "24"}, "SAMPLE_BITS is 24; it must be one of 16, 32"),
        ({"SPEECH_CHANNELS": "2"}, "CHANNELS is 2; it must be a number from 1 to 1"),
        ({"SPEECH_MODELS": "{}"}, "MODELS is {}; it must be a mapping"),
        ({"SPEECH_DEFAULT_LANG": "fr"}, "DEFAULT_LANG is 'fr'; it must be one of en"),
        ({"SPEECH_ALLOWED_ORIGINS": "a.example"}, "ALLOWED_ORIGINS is 'a.example'; it must be origins such as"),
        ({"SPEECH_STREAMS_OPEN": "1"}, "STREAMS_OPEN is 1; it must be of type bool"),
        ({"SPEECH_STREAM_HISTORY_S": "-1"}, "STREAM_HISTORY_S is -1; it must be a number from 0 to 3600"),
        ({"SPEECH_STREAM_SPEED": "0.5"}, "STREAM_SPEED is 0.5; it must be a number from 1 to 1000"),
        ({"SPEECH_MAX_SUBSCRIBERS": "0"}, "MAX_SUBSCRIBERS is 0; it must be a number from 1 to 100000"),
        ({"SPEECH_ALLOWED_ORIGINS": "https://a.example b.example"}, "it must be origins such as"),
        ({"SPEECH_ALLOWED_ORIGINS": "https://a.example/page"}, "it must be origins such as"),
        ({"SPEECH_PROT": "80"}, "unknown setting PROT"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(environment: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        load_settings(Path("nowhere.py"), environment)


def test_a_broken_conf_is_one_sentence(tmp_path: Path) -> None:
    conf = tmp_path / "conf.py"
    conf.write_text("PORT = 1 +")
    with pytest.raises(SettingsError, match="conf.py cannot be read"):
        load_settings(conf, {})


@pytest.mark.parametrize("name", RANGES)
def test_every_range_holds_its_default(name: str) -> None:
    low, high = RANGES[name]
    assert low <= getattr(Settings(), name) <= high
