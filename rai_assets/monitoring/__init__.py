"""The questions of a model asked of production batches: drift, and performance with and without labels."""
