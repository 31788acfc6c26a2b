"""Whether a batch still comes from where the reference came from."""
