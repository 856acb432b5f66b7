"""Tests of `xpconv.nn`."""
