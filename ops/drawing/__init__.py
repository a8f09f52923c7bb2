"""Drawings of the state machine and of its executions."""
