"""The model server: all that the endpoint's image holds."""
