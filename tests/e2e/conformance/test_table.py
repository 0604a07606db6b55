"""The table in docs/speech-recognition.md and the tests name the same assertions."""

import re
from pathlib import Path

HERE = Path(__file__).parent
DOCS = HERE.parents[2] / "docs" / "speech-recognition.md"
ASSERTIONS = [*range(1, 73)]


def test_each_line_of_the_table_has_its_test_and_its_status() -> None:
    tests = "".join(file.read_text(encoding="utf-8") for file in HERE.glob("test_*.py"))
    tested = {int(number) for number in re.findall(r"^def test_c(\d\d)_", tests, re.MULTILINE)}
    lines = re.findall(r"^\| C(\d+) \| .+? \| holds.* \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(tested) == [int(number) for number in lines] == ASSERTIONS
