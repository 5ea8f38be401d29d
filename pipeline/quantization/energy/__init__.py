"""The energy of one inference, by QTools' model."""
