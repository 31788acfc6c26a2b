"""Profiles: what the columns of a batch hold, in numbers that merge over a window without its rows."""
