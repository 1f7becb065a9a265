"""Data that ships with the package: the catalogue. No code."""
