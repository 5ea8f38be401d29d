"""TensorFlow set-up shared by the stages that train: determinism, seeds, strategy, graphs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

import tensorflow as tf

from pipeline.base.errors import PipelineError

P = ParamSpec("P")
T = TypeVar("T")


class RuntimeSetupError(PipelineError):
    """The requested devices are not there."""


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and TensorFlow and make TensorFlow's ops deterministic."""
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def without_autograph(build: Callable[P, T]) -> Callable[P, T]:
    """Let a function build Keras models without AutoGraph.

    Keras would rewrite the Python of every layer into a file of the temporary folder, which
    stays there if the process is killed. No layer here needs it: none has a loop or a condition
    on a tensor.
    """
    plain: Callable[P, T] = tf.autograph.experimental.do_not_convert(build)
    return plain


def compiled(function: Callable[..., tf.Tensor], *, jit_compile: bool = True) -> Any:
    """Compile a method of an object that has a network of its own; without AutoGraph.

    TensorFlow warns of functions that are traced again and again, and takes the same method of
    all objects for one function. Here each object's network has to be traced. A `partial`, which
    has no code of its own, is told apart from others.
    """
    return tf.function(partial(function), jit_compile=jit_compile, autograph=False)


def make_strategy(name: str) -> Any:
    """Return the `tf.distribute` strategy that ``train.strategy`` names.

    Parameters
    ----------
    name
        ``auto`` (one device: the first GPU when TensorFlow sees one, else the
        CPU), ``cpu`` (which hides GPUs from this process for good), ``gpu``,
        ``mirrored`` (all GPUs, or all logical CPUs without one) or ``tpu``.

    Raises
    ------
    RuntimeSetupError
        If ``gpu`` or ``tpu`` is asked for and TensorFlow sees none, if ``cpu`` is and a
        GPU is in use already, or the name is unknown.
    """
    if name == "cpu":
        _hide_gpus()
        return tf.distribute.OneDeviceStrategy("/cpu:0")
    _share_gpus()
    gpus = tf.config.list_logical_devices("GPU")
    if name == "gpu" and not gpus:
        raise RuntimeSetupError("train.strategy: gpu: expected a GPU, TensorFlow sees none")
    if name in ("auto", "gpu"):
        return tf.distribute.OneDeviceStrategy("/gpu:0" if gpus else "/cpu:0")
    if name == "mirrored":
        devices = gpus or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "tpu":
        try:
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        except Exception as error:  # the resolver raises whatever its transport raises
            raise RuntimeSetupError(
                "train.strategy: tpu: expected a reachable TPU, "
                f"found none ({type(error).__name__})"
            ) from error
        return tf.distribute.TPUStrategy(resolver)
    raise RuntimeSetupError(f"train.strategy: unknown strategy {name!r}")


def runs_on_one_cpu(strategy: Any) -> bool:
    """Return whether a strategy of `make_strategy` has one device, which is a CPU."""
    devices = strategy.extended.worker_devices
    return len(devices) == 1 and "CPU" in devices[0].upper()


def _hide_gpus() -> None:
    """Leave GPUs alone: TensorFlow places on them whatever no device is named for."""
    try:
        tf.config.set_visible_devices([], "GPU")
    except RuntimeError as error:
        raise RuntimeSetupError(
            "train.strategy: cpu: expected a process that has not used TensorFlow yet, found "
            f"its devices fixed ({error})"
        ) from error


def _share_gpus() -> None:
    """Take GPU memory as it is needed, not all at once: workers of a search share a GPU."""
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # in use already, so it is too late and not asked for here
            return
