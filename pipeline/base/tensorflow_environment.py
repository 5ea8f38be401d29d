"""What TensorFlow reads from the environment, set before it is first imported."""

import os

# Read by TensorFlow's C++ side when it is first imported. Below level 3 it prints
# harmless internal messages of its graph optimiser and XLA on every start; real
# errors reach Python as exceptions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Read when XLA compiles for the first time. XLA hands matrix products to a pool of threads,
# which for a batch of 64 windows costs more than the product itself: an epoch took half as
# long again. A value that is no flag names a file of them, which is left as it is.
_POOL = "xla_cpu_multi_thread_eigen"
_FLAGS = os.environ.get("XLA_FLAGS", "").strip()
if _POOL not in _FLAGS and (not _FLAGS or _FLAGS.startswith("-")):
    os.environ["XLA_FLAGS"] = f"{_FLAGS} --{_POOL}=false".strip()
