"""`python -m training STAGE RECIPE`: data, train, pack, calibrate or evaluate."""

import argparse

from training.recipe import load_recipe

STAGES = ("data", "train", "pack", "calibrate", "evaluate")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("recipe", help="a name in training/recipes, such as en-small")
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe)
    match arguments.stage:
        case "data":
            from training.data import prepare

            prepare(recipe)
        case "train":
            from training.train import train

            train(recipe)
        case "evaluate":
            from training.evaluate import evaluate

            evaluate(recipe)
        case "pack":
            from training.pack import pack

            pack(recipe)
        case "calibrate":
            from training.calibrate import calibrate

            calibrate(recipe)


if __name__ == "__main__":
    main()
