"""Networks that cannot learn any more: a constant output that no weight can change.

Only the output says that a network is dead. A loss does not: a network that learns slowly
(a low rate, few windows, large batches) may be as wrong as a constant for epochs.

Not every constant output is dead. A coarse quantizer rounds small outputs to 0, and QKeras'
gradient passes through the rounding: such a network may still leave the 0. It is dead once
no small change of any weight would make its output follow the truth: ReLUs that never answer,
or units that are all saturated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.base.arrays import F32
from pipeline.base.errors import PipelineError
from pipeline.networks.fitting import WindowData, WindowFitter

DEAD = "the output is the same for all validation windows, and no weight has a gradient"
# float32 rounds: outputs this close, relative to the largest, count as equal, ...
_SAME_OUTPUT = 4 * float(np.finfo(np.float32).eps)
# ... and a gradient this small, relative to the spread of the truth, as none.
_NO_GRADIENT = 1e-6
# A constant has at least the variance of the truth as its squared error, but for rounding.
_ROUNDING_OF_LOSS = 1e-3
_PROBE_WINDOWS = 16384


class TrainingError(PipelineError):
    """The network cannot be trained with these parameters."""


class DeadNetworkGuard(tf.keras.callbacks.Callback):  # type: ignore[misc]
    """Stop a training whose network is dead after the first epoch.

    Parameters
    ----------
    fitter
        Of the network.
    train, validation
        Windows on which gradient and output are looked at.

    Attributes
    ----------
    dead
        Whether the training was stopped.

    Raises
    ------
    TrainingError
        If all validation targets are equal: no network is better than a constant then.
    """

    def __init__(self, fitter: WindowFitter, train: WindowData, validation: WindowData) -> None:
        super().__init__()
        self.dead = False
        self._fitter, self._train, self._validation = fitter, train, validation
        self._loss_of_constant = loss_of_constant(validation)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Look at the network after the first epoch."""
        if epoch == 0 and logs is not None and self.is_constant(logs["val_loss"]):
            self.dead = not can_learn(self._fitter, self._train)
            self.model.stop_training |= self.dead

    def is_constant(self, validation_loss: float) -> bool:
        """Return whether the network answers every validation window with the same number.

        Parameters
        ----------
        validation_loss
            Its mean squared error. Below that of the best constant there is nothing to look
            at, which saves nearly every network one more compiled program.
        """
        if not may_be_constant(validation_loss, self._loss_of_constant):
            return False
        return is_constant(self._fitter.predict(self._validation))


def may_be_constant(validation_loss: float, of_constant: float) -> bool:
    """Return whether a loss is that of a constant output, or higher; see `loss_of_constant`."""
    return validation_loss >= (1 - _ROUNDING_OF_LOSS) * of_constant


def is_constant(outputs: F32) -> bool:
    """Return whether all outputs of a network, any shape, are the same number."""
    return bool(np.ptp(outputs) <= _SAME_OUTPUT * np.abs(outputs).max())


def loss_of_constant(validation: WindowData) -> float:
    """Return the least mean squared error that a constant output can have.

    Raises
    ------
    TrainingError
        If it is 0: all targets are equal.
    """
    variance = float(np.var(_targets(validation)))
    if variance == 0:
        raise TrainingError(
            "prepare.validation_fraction: expected validation truth that varies, "
            f"found one value in all {validation.n_windows} windows"
        )
    return variance


def can_learn(fitter: WindowFitter, data: WindowData) -> bool:
    """Return whether some small change of a weight makes the output follow the truth.

    The gradient is that of the covariance of output and truth over windows spread evenly
    over the data. That of the loss would not do: it moves the last bias of a network
    whose units are all dead, towards the best constant.
    """
    inputs, targets = data.spread(min(data.n_windows, _PROBE_WINDOWS))
    around_zero = targets.numpy().astype(float)
    around_zero = (around_zero - around_zero.mean()).astype(np.float32)
    with tf.GradientTape() as tape:
        outputs = fitter.forward(fitter.model, inputs, True)
        covariance = tf.reduce_mean((outputs - tf.reduce_mean(outputs)) * around_zero)
    of_first_replica = [
        fitter.strategy.experimental_local_results(variable)[0]
        for variable in fitter.model.trainable_variables
    ]
    gradients: list[Any] = [
        gradient for gradient in tape.gradient(covariance, of_first_replica) if gradient is not None
    ]
    least = _NO_GRADIENT * float(np.abs(around_zero).mean())
    return any(float(tf.reduce_max(tf.abs(gradient))) > least for gradient in gradients)


def _targets(data: WindowData) -> Any:
    begin = data.window_length - data.target_lag
    return data.truth.numpy()[begin : begin + data.n_windows].astype(float)
