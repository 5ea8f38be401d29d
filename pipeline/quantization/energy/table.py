"""Energies of operations and memories: the table of QKeras' QTools.

From M. Horowitz, "Computing's energy problem", ISSCC 2014 (45 nm), in pJ. Every figure is a
polynomial, highest power first, in the bits of an operation, in log2 of the bits of an SRAM, or
in the bits that a DRAM moves. tests/quantization/energy/test_against_qtools.py compares them.
"""

from __future__ import annotations

from collections.abc import Mapping

Polynomial = tuple[float, ...]

PROCESSES: dict[str, Mapping[str, Polynomial]] = {
    "horowitz": {
        "fixed_add": (0.003125, 0.0),
        "fixed_mul": (0.002994791667, 0.001041666667, 0.0),
        "fp16_add": (0.4,),
        "fp16_mul": (1.1,),
        "fp32_add": (0.9,),
        "fp32_mul": (3.7,),
        "sram": (9.02427321e-04, -2.68847858e-02, 2.08900804e-01, 0.0),
        "dram": (20.3125, 0.0),
    }
}
SRAM_WORD_BITS = 64


def evaluate(polynomial: Polynomial, x: float) -> float:
    """Return the value at `x`, at least 0."""
    value = 0.0
    for coefficient in polynomial:
        value = value * x + coefficient
    return max(value, 0.0)
