"""A quantized network as integers: its arithmetic, exactly, and comparisons with it."""
