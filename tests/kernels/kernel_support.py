"""What the kernel tests share: one call by name, layouts of one array, tolerances from the type's epsilon."""

from __future__ import annotations

import numpy as np

from graphnet import _core

IDS = _core.kernel_ids()
FLOATS = [np.float32, np.float64]
INTS = [np.int32, np.int64]
ALL = [*FLOATS, *INTS, np.bool_]


def run(name, inputs, outputs, params=()):
    _core.run(IDS[name], tuple(inputs), tuple(outputs), tuple(params))


def call(name, inputs, shape, dtype, params=()):
    """One output, filled beforehand with what must not leak."""
    dtype = np.dtype(dtype)
    out = np.full(shape, np.nan if dtype.kind == "f" else 1, dtype)
    run(name, inputs, (out,), params)
    return out


def sample(rng, shape, dtype, special=False):
    dtype = np.dtype(dtype)
    if dtype == np.bool_:
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.kind == "i":
        return np.asarray(rng.integers(-9, 10, shape), dtype)
    x = np.asarray(rng.standard_normal(shape), dtype)
    if special and x.size:
        flat = x.reshape(-1)
        values = [np.nan, np.inf, -np.inf, 0.0, -0.0, np.finfo(dtype).tiny / 4, np.finfo(dtype).max]
        flat[rng.integers(0, flat.size, len(values))] = values
    return x


def layouts(x):
    """The same values under every kind of strides."""
    yield "contiguous", x
    if x.ndim:
        read_only = x.copy()
        read_only.flags.writeable = False
        yield "read-only", read_only
        wide = np.empty((*x.shape[:-1], x.shape[-1] * 2), x.dtype)
        wide[..., ::2] = x
        yield "every second", wide[..., ::2]
        yield "reversed", np.ascontiguousarray(x[..., ::-1])[..., ::-1]
    if x.ndim > 1:
        yield "transposed", np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
        yield "fortran", np.asfortranarray(x)
        yield "rows reversed", np.ascontiguousarray(x[::-1])[::-1]


def assert_ulp(got, exact, ulp):
    """got (float32 or float64) within `ulp` units in the last place of the exact value, given in a wider type."""
    dtype = got.dtype
    exact = np.asarray(exact)
    with np.errstate(all="ignore"):
        rounded = exact.astype(dtype)
        finite = np.isfinite(rounded) & np.isfinite(got)
        same = (np.isnan(got) & np.isnan(rounded)) | (got == rounded)
        error = np.zeros(got.shape)
        error[finite] = np.abs(got[finite].astype(exact.dtype) - exact[finite]) / np.spacing(
            np.abs(rounded[finite])
        ).astype(exact.dtype)
    # An overflow may be decided one ulp early or late.
    edge = (
        (~finite)
        & ~np.isnan(got)
        & ~np.isnan(rounded)
        & (np.abs(np.where(np.isfinite(got), got, rounded)) >= np.finfo(dtype).max * 0.999999)
    )
    bad = ~(same | (finite & (error <= ulp)) | edge)
    assert not bad.any(), (
        f"{bad.sum()} of {got.size} off; first: got {got[bad][0]!r}, exact {exact[bad][0]!r}, "
        f"worst {error[finite].max() if finite.any() else 'nan'} ulp"
    )
    return error.max() if error.size else 0.0
