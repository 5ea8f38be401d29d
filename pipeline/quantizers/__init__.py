"""Quantizers: parsed, typed, and repaired where QKeras needs it."""
