"""Tests of `xpconv.engines`."""
