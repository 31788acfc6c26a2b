"""The versioned repository, in lakeFS's vocabulary."""
