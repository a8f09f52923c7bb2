"""Commands for who runs a deployed stack, on AWS or on the embedded AWS alike."""
