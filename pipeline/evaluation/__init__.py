"""How good each reconstruction is: residuals by class, tables and plots."""
