"""The float network in Keras: building, loading and fitting."""

import pipeline.base  # noqa: F401 (settles the environment before TensorFlow is loaded)
