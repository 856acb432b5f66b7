"""Tests of `xpconv.ops`."""
