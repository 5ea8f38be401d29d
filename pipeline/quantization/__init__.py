"""QKeras: quantizers, energy model, search, training and export to integers."""
