"""The questions of a model asked of production: batches, drift, performance with and without labels, telling people."""
