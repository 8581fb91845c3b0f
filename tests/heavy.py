"""Packages that only some uses need: they are imported there, never with graphnet."""

HEAVY = {
    "malt",
    "networkx",
    "safetensors",
    "torch",
    "matplotlib",
    "rich",
    "typer",
    "tqdm",
    "sklearn",
    "pandas",
    "PIL",
    "IPython",
    "onnx",
    "jax",
}
