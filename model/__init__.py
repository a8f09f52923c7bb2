"""Labelled folders become a served, measured classifier of pictures."""
