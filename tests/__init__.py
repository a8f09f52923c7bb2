"""Tests; a package, since libraries install one of that name."""
