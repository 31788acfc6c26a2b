"""The demo in production: the mended model of `lending`, and a year of batches whose changes are known."""
