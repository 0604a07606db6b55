"""`python -m training STAGE RECIPE`: one stage of a recipe; each can be run again and goes on where it stopped."""

import argparse
from importlib import import_module

from training.recipe import load_recipe

STAGES = {  # in this order; each is a function of the module named
    "synthesise": "training.synthesise",
    "data": "training.data",
    "cuts": "training.cuts",
    "statistics": "training.statistics",
    "begin": "training.distil",
    "train": "training.train",
    "ngram": "training.ngram",
    "average": "training.pack",
    "pack": "training.pack",
    "calibrate": "training.calibrate",
    "evaluate": "training.evaluate",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("recipe", help="a name in training/recipes, such as en-small")
    arguments = parser.parse_args()
    stage = getattr(import_module(STAGES[arguments.stage]), arguments.stage)
    stage(load_recipe(arguments.recipe))


if __name__ == "__main__":
    main()
