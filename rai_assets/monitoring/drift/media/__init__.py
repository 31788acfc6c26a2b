"""Pictures and recordings as columns: what is measured of each file, and its vector."""
