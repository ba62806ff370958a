"""A running server is measured: rate, latency, memory, and how many workers it should have.

The way: ``target`` (where) and ``rows`` (what is asked) → ``probe`` (does it answer) → ``course``
(warm-up, saturation, search for the highest rate under a p99) → ``report``. Load comes from
``wrk`` where it is installed and from ``generator`` otherwise (docs/load-testing.md says why).
"""
