"""Integers: fixed point, golden model, hls4ml project; never imports TensorFlow for arithmetic."""
