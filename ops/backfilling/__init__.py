"""Backfills: what is there already, what it costs to decide it, and the runs that do."""
