"""Training where a GPU is: speech, noise and rooms stay on it, and an utterance is changed there, a batch at a time."""
