"""A model becomes a project and an image."""
