"""Error rates of the bundled models on speech that trained nothing, human and synthetic speech apart.

Beside English stands pocketsphinx with the model of its package, on the same files: what else runs offline after one
`pip install`.
"""

import argparse
from collections.abc import Callable, Sequence

import numpy as np

from audio import SAMPLE_RATE, Samples
from recognizer.base import Options, Request
from training.data import normalise
from training.evaluate import WORDS, Measure, Spoken, bundled, errors, evaluation_sets, interval, measures, padded, rate
from training.recipe import load_recipe

Recognise = Callable[[Samples], str]


def ours(name: str, *, writes: bool) -> Recognise:
    recipe = load_recipe(name)
    engine = bundled(recipe, writes=writes)
    return lambda audio: engine.transcribe([Request(audio, True, Options(recipe.data["lang"]))])[0].text


def sphinx() -> Recognise:
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=SAMPLE_RATE)

    def recognise(audio: Samples) -> str:
        decoder.start_utt()
        decoder.process_raw((np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        return normalise(decoder.hyp().hypstr) if decoder.hyp() else ""

    return recognise


def row(name: str, spoken: Sequence[Spoken], recognise: Recognise, measure: Measure = WORDS) -> str:
    rng = np.random.default_rng(0)
    counts = [errors(measure, recognise(padded(one, rng)), one) for one in spoken]
    low, high = interval(counts, rng)
    return f"| {name} | {len(spoken)} | {measure.name} | {rate(counts):.1f} | {low:.1f} to {high:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["ja-small", "en-small"])
    for model in parser.parse_args().models:
        recipe = load_recipe(model)
        print(f"\n{model}\n\n| set | utterances | measure | % | 95 % interval |\n|---|---|---|---|---|")
        sets = list(evaluation_sets(recipe))
        for measure in measures(recipe.data["lang"]):
            recognise = ours(model, writes=measure.writes)
            for name, spoken in sets:
                print(row(name, spoken, recognise, measure), flush=True)
        if recipe.data["lang"] == "en":
            other = sphinx()
            for name, spoken in sets:
                print(row(f"{name}, pocketsphinx 5.1.1", spoken, other), flush=True)


if __name__ == "__main__":
    main()
