"""Wire formats: bytes become rows, outputs become bytes. Pure functions, no HTTP, no I/O."""
