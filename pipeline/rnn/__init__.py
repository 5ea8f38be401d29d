"""The float network in Keras: building, loading and fitting."""

import os

# Read by TensorFlow's C++ side when it is first imported. Below level 3 it prints
# harmless internal messages of its graph optimiser and XLA on every start; real
# errors reach Python as exceptions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Read when XLA compiles for the first time. Its matrix products else ask for a pool of
# threads, each of a batch of 64 windows: an epoch took half as long again.
_ONE_THREAD = "xla_cpu_multi_thread_eigen"
_FLAGS = os.environ.get("XLA_FLAGS", "")
if _ONE_THREAD not in _FLAGS:
    os.environ["XLA_FLAGS"] = f"{_FLAGS} --{_ONE_THREAD}=false".strip()
