"""How a model is loaded and called, one file per framework."""

from shipway.runtimes.loading import load

__all__ = ["load"]
