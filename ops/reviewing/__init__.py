"""What waits for a person, and the page to label it on."""
