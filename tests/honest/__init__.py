"""Honest models: small fitted estimators of every supported library, for tests to store and load.

Each module of a library has ``cases()``: a list of ``Case``, built only when a test asks.
"""
