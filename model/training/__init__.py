"""From labelled pictures to a served graph and its card."""
