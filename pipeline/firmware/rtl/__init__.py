"""Verilog and VHDL of a network and its streaming core, and their simulation."""
