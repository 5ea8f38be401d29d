"""QKeras: energy model, score, search space, trials and export to integers."""

import pipeline.rnn  # noqa: F401 (sets TensorFlow's log level before anything loads it)
