"""Models whose conversion is proven: the table of docs/conversion.md and the test that holds it."""
