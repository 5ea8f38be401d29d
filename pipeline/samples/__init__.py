"""Prepared sequences, the windows cut from them, and predictions on them."""
