"""Bytes in, facts out: what a model file is and what is in it. Nothing is executed here."""
