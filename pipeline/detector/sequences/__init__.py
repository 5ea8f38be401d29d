"""Sequence files, HDF5 and ROOT: read, checked, written and summarised."""
