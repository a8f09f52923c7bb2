"""One file a command of `python -m ops`: its arguments and what it runs."""
