"""A model answers over HTTP."""
