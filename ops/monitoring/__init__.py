"""What the model is asked and answers, window by window, against a baseline."""

FALSE_ALARMS = 0.01  # the most reports that may find drift where there is none
