"""Measurements of xpconv against its peers; see ``benchmarks/README.md`` for the method.

Run from the checkout: ``python -m benchmarks.layers`` and ``python -m benchmarks.training``.
"""
