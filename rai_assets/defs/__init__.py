"""Use cases that come with the package."""
