"""Benchmarks: one file per published figure; each runs alone and ends with one JSON line."""
