"""Many small SimpleRNNs trained at once, each in a lane of a vector; built with g++."""
