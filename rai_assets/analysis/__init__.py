"""One room per question asked of a model."""
