"""What cannot start says so in one sentence and ends with exit code 1."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.service import free_port
from tests.unit.test_models import CONFIG, WEIGHTS, package, write_zip

ROOT = Path(__file__).resolve().parent.parent.parent


def start(folder: Path, **environment: str) -> tuple[int, str]:
    """Exit code and everything that was printed."""
    settings = {"SPEECH_PORT": str(free_port()), "SPEECH_CACHE_DIR": str(folder / "cache"), "SPEECH_WORKERS": "1"}
    command = [sys.executable, "-c", "import speech_api; speech_api.main()"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **settings, **environment}, capture_output=True, text=True, timeout=120
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def models(reference: object) -> str:
    return json.dumps({"en": str(reference)})


@pytest.mark.parametrize(
    "members, sentence",
    [
        (package(**{WEIGHTS: None}), f"the file {WEIGHTS} is missing in the model"),
        (package(**{CONFIG: "frontend_conf: {fs: 8k}"}), "hears 8k Hz; this service needs 16000 Hz"),
        (package(), "cannot be loaded"),  # its weights are no weights
    ],
    ids=["missing file", "wrong sample rate", "broken weights"],
)
def test_a_model_that_cannot_be_used(tmp_path: Path, members: dict[str, str], sentence: str) -> None:
    path = write_zip(tmp_path / "m.zip", members)
    code, output = start(tmp_path, SPEECH_MODELS=models(path))
    assert code == 1 and sentence in output and "Traceback" not in output


def test_a_corrupt_zip(tmp_path: Path) -> None:
    (tmp_path / "m.zip").write_bytes(b"PK no zip")
    code, output = start(tmp_path, SPEECH_MODELS=models(tmp_path / "m.zip"))
    assert code == 1 and "the model m.zip cannot be unpacked" in output and "Traceback" not in output


def test_a_reference_to_nothing(tmp_path: Path) -> None:
    code, output = start(tmp_path, SPEECH_MODELS=models("bundled:nothing"))
    assert code == 1 and "no bundled model is named 'bundled:nothing'" in output and "Traceback" not in output


def test_a_wrong_setting(tmp_path: Path) -> None:
    code, output = start(tmp_path, SPEECH_PORT="70000")
    assert code == 1
    assert output.strip() == "PORT is 70000; it must be a number from 1 to 65535"


def test_a_folder_for_recordings_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = str(tmp_path / "file" / "recordings")
    code, output = start(tmp_path, SPEECH_SAVE_AUDIO="True", SPEECH_SAVE_DIR=folder)
    assert code == 1 and f"SAVE_DIR is {folder!r}; it cannot be used: Not a directory" in output
    assert "Traceback" not in output


def test_cuda_that_is_not_there(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "m.zip", package())
    code, output = start(tmp_path, SPEECH_MODELS=models(path), SPEECH_DEVICE="cuda", CUDA_VISIBLE_DEVICES="")
    assert code == 1 and "torch finds no CUDA device" in output and "Traceback" not in output
