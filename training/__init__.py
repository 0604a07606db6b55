"""The recipes that made the bundled models: `python -m training STAGE RECIPE`."""
