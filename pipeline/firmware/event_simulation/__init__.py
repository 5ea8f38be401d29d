"""Icarus Verilog and GHDL, where they are installed."""
