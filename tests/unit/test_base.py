from recognizer.base import Hypothesis, RecognizerError, Transcript


def test_the_text_is_that_of_the_best_hypothesis() -> None:
    assert Transcript((Hypothesis("yes", 0.9), Hypothesis("yeah", 0.1))).text == "yes"
    assert Transcript(()).text == ""


def test_an_error_has_a_code_and_a_sentence() -> None:
    error = RecognizerError("timeout", "no result within 30 s")
    assert (error.code, str(error)) == ("timeout", "no result within 30 s")
