"""QKeras: energy model, score, search space, trials and export to integers."""
