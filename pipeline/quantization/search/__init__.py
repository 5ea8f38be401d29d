"""The search for quantizers: run, resumed and summed up."""
