"""The float network in Keras: building, loading and fitting."""
