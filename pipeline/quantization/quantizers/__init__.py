"""Quantizers: parsed, typed, and made to work in QKeras."""
