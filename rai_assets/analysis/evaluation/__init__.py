"""How well the model does: metrics, confusion, curves, threshold choice."""
