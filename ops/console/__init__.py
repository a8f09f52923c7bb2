"""The console: pages over what the commands know and do, for one person on this machine."""
