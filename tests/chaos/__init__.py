"""Proof by chaos: nothing is lost and nothing is decided twice, whatever fails on the way."""
