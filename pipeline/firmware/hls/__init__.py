"""HLS projects through hls4ml, and the simulation of their C++."""
