"""Factors between the units that files and figures use, and the limits of the job."""

MEV_PER_GEV = 1000.0
GEV_PER_MEV = 1e-3  # a factor: dividing by 1000 rounds to another last bit
PJ_PER_NJ = 1000.0
NS_TIMES_MHZ = 1000.0  # a period in ns is this by its frequency in MHz, and the other way round
BC_NS = 25.0  # between two bunch crossings of the LHC
MAX_CELLS = 1024  # that can share one streaming core
