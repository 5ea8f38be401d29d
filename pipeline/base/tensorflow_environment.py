"""What TensorFlow reads from the environment, set before it is first imported."""

import os

# Read by TensorFlow's C++ side when it is first imported. Below level 3 it prints
# harmless internal messages of its graph optimiser and XLA on every start; real
# errors reach Python as exceptions.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Read when XLA compiles for the first time. XLA hands matrix products to a pool of threads,
# which for a batch of 64 windows costs more than the product itself: an epoch took half as
# long again. Of the user's flags only those stay that cannot change a result; a value that is no
# flag would name a file of any flags.
_POOL = "--xla_cpu_multi_thread_eigen"
_HARMLESS = (_POOL, "--xla_dump_", "--xla_gpu_cuda_data_dir", "--xla_force_host_platform_device")
_FLAGS = [f for f in os.environ.get("XLA_FLAGS", "").split() if f.startswith(_HARMLESS)]
if not any(flag.startswith(_POOL) for flag in _FLAGS):
    _FLAGS.append(f"{_POOL}=false")
os.environ["XLA_FLAGS"] = " ".join(_FLAGS)
