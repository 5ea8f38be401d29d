"""From digitised calorimeter samples to quantized, bit-exact FPGA firmware."""
