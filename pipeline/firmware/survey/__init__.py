"""Several networks built alike, to compare area with RMSE."""
