"""The clients are a package of their own: small, light, and each file with its test."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import audiosockets
from tests.audiosockets.conftest import ROOT
from tests.test_architecture import MAX_FUNCTION_LINES_P90, MAX_LINES, imports, roots

PACKAGE = ROOT / "audiosockets"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))
NAMES = [str(path.relative_to(PACKAGE)) for path in SOURCES]
PURE = {"audio.py", "backlog.py", "wire.py"}  # know no socket and no event loop
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text())


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_it_needs_what_it_says_and_nothing_of_the_server(path: Path) -> None:
    needed = roots(imports(path, everywhere=True)) - sys.stdlib_module_names
    assert needed <= {"audiosockets", "numpy", "websockets"}
    if path.name in PURE and path.parent == PACKAGE:
        assert not roots(imports(path, everywhere=True)) & {"asyncio", "threading", "socket", "websockets"}


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_size_and_tests(path: Path) -> None:
    assert len([line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]) <= MAX_LINES
    assert (ROOT / "tests" / "audiosockets" / f"test_{path.name}").exists()


def test_functions_are_short() -> None:
    lengths = sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[len(lengths) * 9 // 10] <= MAX_FUNCTION_LINES_P90


def test_the_wheel_works_on_its_own(tmp_path: Path) -> None:
    """Beside numpy and websockets alone, as `pip install ./audiosockets` leaves it on another machine."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps"]
    copy = tmp_path / "source"
    copy.mkdir()
    for path in [*PACKAGE.glob("*.*"), *PACKAGE.glob("processors/*.py")]:
        target = copy / path.relative_to(PACKAGE)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    subprocess.run([*pip, "--target", str(tmp_path / "site"), str(copy)], check=True, timeout=120)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import audiosockets.cli, audiosockets.paper\n"
        "from audiosockets.processors import BUNDLED\n"
        "for name in BUNDLED: audiosockets.commands.find_processor(name)\n"
        "assert audiosockets.__file__.startswith(sys.argv[1]), audiosockets.__file__\n"
        "print(sorted({'torch', 'fastapi', 'sounddevice', 'soundfile', 'matplotlib'} & set(sys.modules)))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "site")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.stdout.strip() == "[]", finished.stderr
    assert (tmp_path / "site" / "bin" / "audiosockets").exists()


def test_versions_agree() -> None:
    assert PROJECT["project"]["version"] == audiosockets.__version__
    assert [each.split(">=")[0] for each in PROJECT["project"]["dependencies"]] == ["numpy", "websockets"]
