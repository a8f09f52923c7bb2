"""A deployed stack: what the commands read of it and change in it."""
