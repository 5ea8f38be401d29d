"""C++ templates of our own beside hls4ml's."""
