"""The float network in Keras: building, loading and fitting."""

import pipeline.base.tensorflow_environment  # noqa: F401 (before TensorFlow is loaded)
