"""Every formula, count, interval and verdict, once."""
