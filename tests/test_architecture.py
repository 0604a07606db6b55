"""The rules of the house: who imports whom, how large a file may be, and that each one has its test."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("protocol", "session", "vad", "recognizer", "hub")
SOURCES = sorted(
    path
    for pattern in ("*.py", *(f"{package}/**/*.py" for package in PACKAGES))
    for path in ROOT.glob(pattern)
    if path.name not in ("__init__.py", "conf.py", "conf_sample.py")
)
NAMES = [str(path.relative_to(ROOT).with_suffix("")) for path in SOURCES]

PURE = {"access", "audio", "protocol/events", "protocol/native", "protocol/plain", "vad/segmenter"}
PURE |= {"session/session", "session/answers", "session/intake", "session/tap", "recognizer/base", "recognizer/limits"}
PURE |= {f"hub/{name}" for name in ("wire", "keys", "history", "stream", "subscriber", "query", "hub")}
IMPURE = {"asyncio", "threading", "time", "datetime", "os", "random", "socket", "fastapi", "starlette"}
HEAVY = {"torch", "torchaudio", "espnet2", "espnet_model_zoo", "onnxruntime", "silero_vad", "numba"}
HEAVY_HOME = "recognizer/decoding/"  # loaded as a whole by the factory; only there numba, and torch in graphs.py
OURS = {"access", "audio", "handshake", "pages", "settings", "speech_api", "shutdown", "conf_sample", *PACKAGES}
ALLOWED = {  # a module that is listed imports nothing else of ours
    "access": set(),
    "audio": set(),
    "protocol/events": {"audio"},
    "protocol/native": {"audio", "protocol.events"},
    "protocol/plain": {"protocol.events"},
    "vad/segmenter": {"audio"},
    "recognizer/base": {"audio"},
    "recognizer/limits": {"audio"},
    "session/tap": {"protocol.events"},
    "hub/wire": {"audio", "protocol.events", "protocol.native"},
    "hub/keys": {"protocol.events"},
    "hub/history": set(),
    "hub/stream": {"hub.keys", "hub.history", "hub.wire"},
    "hub/subscriber": {"hub.history", "hub.stream", "hub.wire"},
    "hub/query": {"hub.stream", "hub.subscriber", "hub.wire"},
    "hub/hub": {"hub.keys", "hub.stream", "hub.wire", "protocol.events"},
    "hub/pace": set(),
    "session/answers": {"audio", "protocol.events", "recognizer.base"},
    "session/intake": {"audio", "protocol.events"},
    "session/session": {
        "audio",
        "protocol.events",
        "session.answers",
        "session.intake",
        "vad.segmenter",
        "recognizer.base",
    },
}
SCRIPTS = sorted((ROOT / "static" / "js").rglob("*.js"))
MAX_LINES = 200  # that are not blank
MAX_SCRIPT_LINES = 250  # JSDoc types are lines of their own
MAX_FUNCTION_LINES_P90 = 25


def outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is imported, also under `if`, `try` and in classes."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from outside_functions(child)


def imports(path: Path, *, everywhere: bool) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree) if everywhere else outside_functions(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, "imports name the whole path"
            found.add(node.module)
    return found


def roots(modules: set[str]) -> set[str]:
    return {module.split(".")[0] for module in modules}


@pytest.mark.parametrize("path, name", list(zip(SOURCES, NAMES, strict=True)), ids=NAMES)
def test_imports(path: Path, name: str) -> None:
    everywhere, on_top = imports(path, everywhere=True), imports(path, everywhere=False)
    heavy = roots(on_top) & HEAVY
    if name.startswith(HEAVY_HOME):
        heavy -= {"numba"} | ({"torch"} if name.endswith("/graphs") else set())
        assert "recognizer.decoding.graphs" not in on_top
    else:
        assert not any(module.startswith("recognizer.decoding") for module in on_top)
    assert not heavy, "heavy modules are imported where they are used"
    if name in PURE:
        assert not roots(everywhere) & (IMPURE | HEAVY)
    if name in ALLOWED:
        assert {module for module in everywhere if module.split(".")[0] in OURS} <= ALLOWED[name]
    for one, other in (("vad", "recognizer"), ("recognizer", "vad")):
        assert not (name.startswith(one + "/") and other in roots(everywhere))


@pytest.mark.parametrize("path, name", list(zip(SOURCES, NAMES, strict=True)), ids=NAMES)
def test_only_settings_reads_the_configuration(path: Path, name: str) -> None:
    if name == "settings":
        return
    assert not roots(imports(path, everywhere=True)) & {"conf", "conf_sample"}
    names = {
        node.attr for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)
    }
    assert not names & {"environ", "environb", "getenv"}


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_size(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= MAX_LINES


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_size_of_scripts(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= MAX_SCRIPT_LINES


def test_functions_are_short() -> None:
    lengths = sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[len(lengths) * 9 // 10] <= MAX_FUNCTION_LINES_P90


@pytest.mark.parametrize("name", NAMES)
def test_every_source_file_has_its_test_file(name: str) -> None:
    assert list((ROOT / "tests").glob(f"*/test_{name.split('/')[-1]}.py"))
