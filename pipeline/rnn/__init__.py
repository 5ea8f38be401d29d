"""The float network in Keras: building, loading and fitting."""

import os

# Read by TensorFlow's C++ side when it is first imported. Below level 3 it prints
# harmless internal messages of its graph optimiser and XLA on every start; real
# errors reach Python as exceptions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
