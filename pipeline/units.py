"""Factors between the units that files and figures of the project use."""

MEV_PER_GEV = 1000.0
PJ_PER_NJ = 1000.0
