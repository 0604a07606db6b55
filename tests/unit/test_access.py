import base64

import pytest

from access import NO_TOKEN, WRONG_ORIGIN, Access, valid_origin


def refused(access: Access, *subprotocols: str, **headers: str) -> int | None:
    refusal = access.refusal({"host": "speech.example:8443", **headers}, subprotocols)
    return refusal.close if refusal else None


@pytest.mark.parametrize("origin, close", [
    ("https://speech.example:8443", None), ("http://SPEECH.example:8443", None), ("https://a.example", None),
    ("", None), ("https://speech.example", WRONG_ORIGIN), ("https://b.example", WRONG_ORIGIN), ("null", WRONG_ORIGIN),
    ("https://a.example.evil", WRONG_ORIGIN), ("https://[", WRONG_ORIGIN),
    ("https://evil/speech.example:8443", WRONG_ORIGIN),
])  # fmt: skip
def test_pages_of_other_origins(origin: str, close: int | None) -> None:
    assert refused(Access(frozenset(["https://a.example"])), origin=origin) == close
    assert refused(Access(frozenset(["*"])), origin=origin) is None


def test_a_program_has_no_origin() -> None:
    assert refused(Access()) is None


def test_the_token_comes_in_a_header_or_a_subprotocol() -> None:
    access = Access(token="pä?ss")
    coded = base64.urlsafe_b64encode("pä?ss".encode()).decode().rstrip("=")
    assert refused(access, "speech.v1", f"token.{coded}") is None
    assert refused(Access(token="secret"), authorization="Bearer secret") is None
    assert refused(Access(token="secret"), "token.c2VjcmV0", authorization="Bearer of a stream") is None
    for wrong in ((), ("speech.v1",), ("token.",), ("token.!",), ("token." + coded[:-2],)):
        assert refused(access, *wrong) == NO_TOKEN
    assert refused(Access(token="secret"), authorization="Basic secret") == NO_TOKEN


def test_only_allowed_origins_are_told_so() -> None:
    access = Access(frozenset(["https://a.example"]))
    assert access.cors_headers("https://a.example") == {
        "Access-Control-Allow-Origin": "https://a.example",
        "Vary": "Origin",
    }
    assert access.cors_headers("https://b.example") == {"Vary": "Origin"}
    assert Access().cors_headers("https://a.example") == {}


@pytest.mark.parametrize("text, valid", [
    ("*", True), ("https://a.example", True), ("http://127.0.0.1:8000", True), ("null", True), ("a.example", False),
    ("https://a.example/", False), ("https://", False), ("https://[", False),
])  # fmt: skip
def test_what_an_origin_is(text: str, valid: bool) -> None:
    assert valid_origin(text) is valid
