"""Trials of a search: which are asked for, and by whom they are trained."""
