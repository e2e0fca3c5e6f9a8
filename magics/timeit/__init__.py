"""How long does a statement take."""
