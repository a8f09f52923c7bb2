"""How often the model is wrong where nobody looks, from a random sample that people looked at."""
