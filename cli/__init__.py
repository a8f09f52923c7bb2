"""One manner of command line for ops, local and model: arguments, terminal, errors.

Nothing here needs more than the standard library to be imported, so that every --help answers at
once, installed or not.
"""
