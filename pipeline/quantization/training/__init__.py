"""Training of one quantized network, and what is remembered of it."""
