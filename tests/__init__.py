"""Tests of xpconv, laid out as the package is."""
