"""A float network of the user's own: read from a file that Keras wrote, without running code."""
