"""What the model looks at: exact attributions and their summaries."""
