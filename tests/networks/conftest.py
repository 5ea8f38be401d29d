import pipeline.networks  # noqa: F401  (before TensorFlow: it sets how much that prints)
