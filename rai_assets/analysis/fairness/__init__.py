"""How differently the model treats groups: rates, gaps, intersections."""
