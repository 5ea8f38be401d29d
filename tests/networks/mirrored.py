"""Train a small network on two logical CPUs; a program of its own.

TensorFlow takes the number of logical devices only before it starts, so a test
runs this module and reads what it prints and the weights it writes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pipeline.networks  # noqa: F401  (before TensorFlow: it sets how much that prints)


def main(path: Path) -> None:
    """Train, print the losses as JSON and write the weights."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_visible_devices([cpu])
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from pipeline.networks.runtime import make_strategy
    from tests.networks.sequences import train_on

    print(json.dumps(train_on(make_strategy("mirrored"), path)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
