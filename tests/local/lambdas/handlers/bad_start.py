raise ValueError("no settings")
