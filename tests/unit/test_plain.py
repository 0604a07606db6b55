from protocol import plain
from protocol.events import Alternative, Done, Failure, Result


def test_only_finals_and_faults_are_said() -> None:
    result = Result(0, 0, True, 0, 1, (Alternative("yes", 0.9), Alternative("yeah", 0.1)))
    assert plain.encode(result) == "yes"
    assert plain.encode(Result(0, 0, False, 0, 1, result.alternatives)) is None
    assert plain.encode(Result(0, 0, True, 0, 1, ())) is None
    assert plain.encode(Failure(0, "overloaded", "try later")) == "[overloaded] try later"
    assert plain.encode(Done()) is None
