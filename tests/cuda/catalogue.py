"""Every kernel that the glue may ask for, by its C++ name: what NVRTC has to compile.

The stand-in refuses kernels that are not listed, so that none can be forgotten here.
"""

from __future__ import annotations

from itertools import product

STORED = {"f16": 8, "bf16": 8, "float": 4, "double": 2}  # numbers that a thread reads at once
INDICES = ("int", "int64")


def expressions() -> dict[str, list[str]]:
    """Kernels of each subject."""
    packed = [(s, v, i) for (s, most), i in product(STORED.items(), INDICES) for v in (1, most)]
    plain = list(product(STORED, INDICES))
    computed = list(product(("float", "double"), INDICES))
    counted = [(s, n, v, i) for s, v, i in packed for n in ("unsigned char", "int")]
    units = [(f"Bytes<{size}>::type", i) for size in (1, 2, 4, 8, 16) for i in INDICES]
    shaped = [
        (part, name)
        for part, names in {
            "tiles_in": ("Inputs", "OutputGrads"),
            "tiles_out": ("Outputs",),
            "kernels_in": ("Kernels",),
            "kernels_out": ("KernelGrads",),
        }.items()
        for name in names
    ]
    winograd = [
        f"{part}<{s}, {f}{name}, {i}>"
        for (part, name), f, s, i in product(shaped, ("F2", "F4"), ("float", "double"), INDICES)
    ]
    return {
        "activation": [
            *_named("relu", packed),
            *_named("relu6", packed),
            *_named("add_relu", packed),
            *_named("relu_grad", packed),
            *_named("relu6_grad", packed),
        ],
        "winograd": winograd,
        "windows": [*_named("gather", units), *_named("scatter", packed)],
        "max_pool": [*_named("max_pool", counted), *_named("max_pool_grad", counted)],
        "avg_pool": [*_named("avg_pool", packed), *_named("avg_pool_grad", packed)],
        "batch_norm": [
            *_named("moments", plain),
            *_named("moments_total", computed),
            *_named("normalise", packed),
            *_named("norm_sums", plain),
            *_named("norm_sums_total", computed),
            *_named("normalise_grad", packed),
            *_named("row_sums", plain),
            *_named("row_sums_total", plain),
        ],
        "depthwise": [
            *_named("depthwise", packed),
            *_named("depthwise_input_grad", packed),
            *_named("depthwise_sums", plain),
            *_named("depthwise_total", plain),
        ],
        "sample_norm": [
            *_named("sample_norm", plain),
            *_named("sample_norm_grad", plain),
            *_named("parameter_sums", plain),
            *_named("parameter_total", computed),
        ],
        "dropout": _named("dropout", [(s, v, i) for s, i in plain for v in (1, 4)]),
        "cross_entropy": [*_named("cross_entropy", plain), *_named("cross_entropy_grad", plain)],
        "optimizer": [
            *_named("sgd", [(s,) for s in STORED]),
            *_named("adam", [(s,) for s in STORED]),
        ],
        "store": _named("store", [(size,) for size in (64, 512, 3072)]),
    }


def _named(name: str, choices: list[tuple]) -> list[str]:
    return [f"{name}<{', '.join(map(str, choice))}>" for choice in choices]
