"""Tests of the engine cudnn: on a stand-in for NVIDIA's package and, where there is one, on it."""
