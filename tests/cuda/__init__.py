"""Tests of the CUDA bodies: compiled for the host, and by NVRTC, where there is no GPU."""
