"""Many batches looked at together: trends, alarms and what is behind them."""
