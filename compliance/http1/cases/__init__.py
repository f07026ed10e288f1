"""The corpus as data, one module per subject."""
