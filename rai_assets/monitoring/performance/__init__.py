"""How well a model does in production: estimated before labels arrive, measured afterwards, compared with before."""
