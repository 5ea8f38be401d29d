"""Vivado, Vitis and Quartus, where they are installed: runs and reports."""
