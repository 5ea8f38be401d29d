"""What all sections of ``params.yaml`` share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

MAX_SEED = 2**31 - 1  # NumPy's and TensorFlow's seeds have 32 bits; restarts and trials count up

# Far more than anyone means: a number beyond is a typing error, and found before anything runs.
MAX_BC = 1_000_000_000  # of a sequence, or windows: 25 s of collisions
MAX_MEV = 10_000_000.0  # 10 TeV
MAX_EPOCHS = 1_000_000
MAX_TRIALS = 100_000
MAX_BATCH = 2**24
MAX_TIMEOUT_S = 10_000_000.0  # 116 days
MAX_TEXT = 200  # characters of a text on figures
MAX_NAME = 64  # of a name that becomes one of files


class Section(BaseModel):
    """Base of all sections: frozen, strict types, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
