"""The declaration of a use case and the asset graph it becomes."""
