"""Speed, memory and size, each beside a floor measured in the same run."""
