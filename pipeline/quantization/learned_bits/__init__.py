"""Bits of every weight and hidden unit learned with the weights, at eight prices at once."""
