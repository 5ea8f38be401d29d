"""The chosen network trained once more and handed over as integers."""
