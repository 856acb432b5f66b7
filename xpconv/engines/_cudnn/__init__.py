"""Convolutions by cuDNN 9, through NVIDIA's front end: one graph for each problem.

`_library` finds the two and says what is missing, `_device` asks CuPy for a place to compute,
`_graph` describes a convolution, `_plans` lets cuDNN choose a kernel and keeps what it chose, and
`_run` hands arrays to it.
"""
