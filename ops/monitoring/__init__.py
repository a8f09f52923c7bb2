"""What the model is asked and answers, window by window, against a baseline."""
