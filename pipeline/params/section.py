"""What all sections of ``params.yaml`` share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

MAX_SEED = 2**31 - 1  # NumPy's and TensorFlow's seeds have 32 bits; restarts and trials count up


class Section(BaseModel):
    """Base of all sections: frozen, strict types, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
