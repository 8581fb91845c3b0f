"""Calls that graphnet and PyTorch must answer alike, by the name that they are about.

Each is an expression of `t` (graphnet or torch) and of operands of the shape at hand: `x`, `y` floats of either sign,
`p` positive floats, `i` integers, `b` truth values, `s` a 0-d float, `n` a NumPy array. Calls are separated by `;`.
"""

from __future__ import annotations

__all__ = ["CREATION", "FUNCTIONS", "MEMBERS", "UNCOVERED"]


def unary(name: str, operand: str = "x") -> str:
    """The calls of a function of one tensor: as function, method, and in place; of integers."""
    return (
        f"t.{name}({operand}); {operand}.{name}(); ({operand} * 1).{name}_(); t.{name}(input={operand}); "
        f"t.{name}(i); "
        f"t.{name}({operand}.T); t.{name}(b)"
    )


def binary(name: str, places: str = "") -> str:
    """The calls of a function of two."""
    return (
        f"t.{name}(x, y); x.{name}(y); t.{name}(input=x, other=y); t.{name}(x, s); t.{name}(i, i + 1); "
        f"t.{name}(x, i); "
        f"t.{name}(x, x[:1]); t.{name}(x.unsqueeze(0), y.unsqueeze(1)); t.{name}(b, i)" + places
    )


def compared(name: str, symbol: str) -> str:
    return (
        f"{binary(name)}; x {symbol} y; x {symbol} 0.5; 0.5 {symbol} x; i {symbol} 2; (x * 1).{name}_(y); "
        f"b {symbol} b; "
        f"x {symbol} n"
    )


def arithmetic(name: str, symbol: str, other: str = "y") -> str:
    """An operator: with tensors and numbers, reflected, in place."""
    return (
        f"t.{name}(x, {other}); x.{name}({other}); x {symbol} {other}; {other} {symbol} p; 2 {symbol} p; "
        f"p {symbol} 2; "
        f"2.5 {symbol} p; p {symbol} 2.5; True {symbol} p; i {symbol} (i * i + 1); i {symbol} 3; x {symbol} s; "
        f"s {symbol} p; (x * 1).{name}_({other}); (p * 1).{name}_(2); i.clone().{name}_(2); "
        f"i.clone().{name}_(0.5); "
        f"x {symbol} {other}[:1]; p.unsqueeze(0) {symbol} {other}.unsqueeze(1); x {symbol} i; "
        f"b {symbol} b; b {symbol} i; x {symbol} {other}.detach().double()"
    )


def reduced(name: str) -> str:
    return (
        f"t.{name}(x); x.{name}(); x.{name}(0); t.{name}(x, dim=-1); t.{name}(x, 1, True); "
        f"x.{name}(dim=0, keepdim=True); "
        f"x.{name}(axis=0); t.{name}(x, axis=-1, keepdims=True); x.{name}(9); t.{name}(i); t.{name}(x.T, 0)"
    )


def several(name: str) -> str:
    return f"{reduced(name)}; x.{name}((0, 1)); t.{name}(x, dim=(0, -1), keepdim=True); x.{name}([0]); x.{name}((0, 0))"


FUNCTIONS: dict[str, str] = {
    **{name: unary(name) for name in ("exp", "abs", "sign", "sin", "cos", "tanh", "sigmoid", "relu", "neg", "square")},
    **{name: unary(name) for name in ("erf", "expm1", "floor", "ceil", "reciprocal", "logical_not")},
    **{name: unary(name, "p") for name in ("log", "sqrt", "rsqrt", "log1p")},
    **{name: binary(name) for name in ("maximum", "minimum")},
    "add": arithmetic("add", "+") + "; t.add(x, y, alpha=2); x.add(3, alpha=0.5); (x * 1).add_(y, alpha=-1)",
    "sub": arithmetic("sub", "-") + "; t.sub(x, y, alpha=2); (x * 1).sub_(y, alpha=-1); b - b",
    "mul": arithmetic("mul", "*"),
    "div": arithmetic("div", "/") + "; t.div(x, y, rounding_mode='floor').detach(); i / 0; "
    "t.div(i * 7 - 9, i * i + 1, rounding_mode='trunc'); t.div(x.detach(), y, rounding_mode='trunc').detach(); "
    "t.div(x, y, rounding_mode='up')",
    "pow": "t.pow(p, y); p.pow(y); p ** y; x ** 2; x ** 3; x ** 0; p ** -1.5; 2 ** x; 0.0 ** p; i ** 2; i ** i; "
    "(x * 1).pow_(2); t.pow(x, exponent=2); p ** s; 2.0 ** i",
    "floor_divide": "t.floor_divide(x.detach(), y.detach()); x.detach() // y.detach(); i // 2; i // 0; "
    "7 // p.detach(); "
    "p.detach().clone().floor_divide_(2)",
    "remainder": "t.remainder(x, y); x % y; i % 3; i % -3; 7 % p.detach(); (x * 1).remainder_(y); x % 0.7",
    **{name: compared(name, symbol) for name, symbol in (("eq", "=="), ("ne", "!="), ("lt", "<"), ("le", "<="))},
    **{name: compared(name, symbol) for name, symbol in (("gt", ">"), ("ge", ">="))},
    "logical": "b & b; b | ~b; b ^ b; ~b; t.logical_and(x, b); t.logical_or(i, b); x.logical_xor(b); b & True; "
    "True | b; "
    "b.clone().logical_and_(~b); b.clone().__iand__(~b); b.clone().__ior__(~b); b.clone().__ixor__(b)",
    "matmul": "t.matmul(x, y.mT); x @ y.mT; x.matmul(y); x @ y; t.matmul(x, x[-1]); x @ x.flatten()[:4]; "
    "t.matmul(x, i); x.unsqueeze(0) @ y.unsqueeze(1).mT; x @ 2",
    "mm": "t.mm(x, y.T); x.mm(y.t()); t.mm(x, y); t.mm(x, mat2=y.T)",
    "bmm": "t.bmm(x, y.mT); x.bmm(y.transpose(1, 2)); t.bmm(x, mat2=y.mT); t.bmm(x, y)",
    "dot mv": "t.dot(x, y); t.mv(x, y[0]); x.mv(y[0])",
    "einsum": "t.einsum('i,i', x, y); t.einsum('i,j->ij', x, y); t.einsum('ij,kj->ik', x, y); "
    "t.einsum('ij->ji', x); "
    "t.einsum('ij', x); t.einsum('ji', x); t.einsum('ij,jk', x, y.T); t.einsum('ii->i', x @ y.T); "
    "t.einsum('ii', x @ y.T); "
    "t.einsum('...ij,...kj->...ik', x, y); t.einsum('...i->...', x); t.einsum('i...->...', x); "
    "t.einsum('ijk,ilk->jl', x, y); "
    "t.einsum('i...,i...', x, y); t.einsum('...,...->...', x, y); t.einsum('ij,ij->', x, y); "
    "t.einsum('ij,ij,ik->jk', x, y, x); "
    "t.einsum('bij,bjk->bik', x, y.mT); t.einsum(' i j , k j -> i k ', x, y); "
    "t.einsum(x, [0, 1], y, [2, 1], [0, 2]); "
    "t.einsum('ij->', x); t.einsum('ij->i', x, y); t.einsum('ij->kk', x); t.einsum('i1', x); "
    "t.einsum('ij,jk', x, y); "
    "t.einsum('iij->ij', x.unsqueeze(0).expand(3, 3, 4)); t.einsum('ij,ij->ij', x, y[:1]); "
    "t.einsum('aB,cB->ca', x, y); "
    "t.einsum('ij,ij->ij', i, i); t.einsum('...ij->...ji', x); t.einsum('ij,ij->j', [x, y])",
    "where": "t.where(b, x, y); t.where(b, x, 0.5); t.where(b, 1, 2); t.where(b, 1.5, 2); t.where(b, True, 0); "
    "t.where(b, x, i); x.where(b, y); x.where(b, 0); t.where(x, x, y); t.where(x > 0); t.where(b, x[:1], y); "
    "t.where(condition=b, input=x, other=y); t.where(b, s, x); t.where(b, s.detach().double(), x); t.where(b, x)",
    "softmax": "t.softmax(x, 0); x.softmax(-1); x.softmax(dim=1); t.softmax(x, dim=0, dtype=t.float64); "
    "t.softmax(x * 999, 0); "
    "x.softmax(5); t.softmax(i, 0, dtype=t.float32)",
    "log_softmax": "t.log_softmax(x, 0); x.log_softmax(-1); t.log_softmax(x, dim=1, dtype=t.float64)",
    "logsumexp": "t.logsumexp(x, 0); x.logsumexp(-1, True); x.logsumexp((0, 1)); "
    "t.logsumexp(x, dim=0, keepdim=True); "
    "t.logsumexp(x * 999, 0); t.logsumexp(i, 0); t.logsumexp(x - float('inf'), 0).detach(); x.logsumexp(4)",
    "sum": several("sum") + "; t.sum(x, dtype=t.float64); i.sum(0, dtype=t.int32); t.sum(b); x.sum(None); x.sum(())",
    "mean": several("mean") + "; t.mean(i, dtype=t.float32); x.mean(0, dtype=t.float64)",
    "prod": reduced("prod") + "; t.prod(x * b); x.prod(0, dtype=t.float64); (x * b).prod(-1)",
    "std": several("std") + "; x.std(unbiased=False); x.std(False); x.std(0, False); x.std(0, True, True); "
    "t.std(x, dim=-1, correction=0); t.std(x, 0, correction=0, keepdim=True)",
    "var": several("var") + "; x.var(unbiased=False); x.var(0, False); t.var(x, 0, unbiased=False, keepdim=True); "
    "t.var(x, dim=(0, 1), correction=0); x.var(-1, correction=0.5)",
    "max": "t.max(x); x.max(); x.max(0); t.max(x, -1); t.max(x, dim=0, keepdim=True); x.max(axis=0).values; "
    "t.max(x, y); "
    "x.max(y); x.max(0).indices; t.max(i, 0); t.max(b); x.max(9); t.max(x * 0)",
    "min": "t.min(x); x.min(); x.min(0); t.min(x, -1); t.min(x, dim=0, keepdim=True); x.min(axis=0).values; "
    "t.min(x, y); "
    "x.min(0).indices; t.min(i, 0)",
    "amax amin": "t.amax(x); x.amax(0); t.amin(x, dim=(0, 1)); x.amin(-1, True); t.amax(x * b, 0)",
    "argmax": "t.argmax(x); x.argmax(); x.argmax(0); t.argmax(x, dim=-1, keepdim=True); x.argmax(keepdim=True); "
    "t.argmax(i, 0); t.argmax(x.T, 0); x.argmax(9)",
    "argmin": "t.argmin(x); x.argmin(); x.argmin(0); t.argmin(x, dim=-1, keepdim=True); t.argmin(i)",
    "all": "t.all(b); b.all(); b.all(0); t.all(x, dim=-1); t.all(b, 0, True); t.all(b, dim=(0, 1)); i.all()",
    "any": "t.any(b); b.any(); b.any(0); t.any(x, dim=-1); t.any(b, 0, True); t.any(b, dim=(0, 1)); i.any()",
    "sort": "t.sort(x); x.sort(); x.sort(0); t.sort(x, dim=0, descending=True); t.sort(x, 0, True); "
    "x.sort(-1).values; "
    "t.sort(x, stable=True, dim=0); t.sort(i, stable=True); t.sort(b, stable=True, descending=True); x.sort(9); "
    "t.argsort(x); "
    "x.argsort(0, descending=True); t.argsort(x, dim=0, stable=True)",
    "topk": "t.topk(x, 1); x.topk(2); x.topk(2, 0); t.topk(x, k=1, dim=0, largest=False); "
    "x.topk(1, sorted=True).values; "
    "x.topk(0); x.topk(99); x.topk(-1); x.topk(1, -1, False).indices",
    "gather": "t.gather(x, 0, (i * 0)); x.gather(-1, i * 0); t.gather(x, dim=0, index=i * 0); "
    "x.gather(0, i * 0 + 9); "
    "x.gather(0, x); t.gather(x, 0, (i * 0)[:1]); x.gather(1, (i * 0)[..., :2]); x.gather(0, (i * 0).unsqueeze(0))",
    "clamp": "t.clamp(x, -0.5, 0.5); x.clamp(0.1); x.clamp(max=0.2); t.clamp(x, min=-0.3, max=0.3); "
    "x.clamp(0.5, -0.5); "
    "x.clamp(y); x.clamp(y, p); t.clamp(x, max=y); (x * 1).clamp_(-0.5, 0.5); (x * 1).clamp_(min=0); "
    "i.clamp(1, 3); "
    "i.clamp(0.5); x.clamp(); t.clamp_min(x, 0.1); x.clamp_max(0.1); t.clip(x, 0, 1); (x * 1).clip_(0, 1); "
    "x.clamp(x, 9); "
    "t.clamp(i, 1.5, 2.5); (x * b).clamp(0, 1); (x * 1).clamp_min_(0); (x * 1).clamp_max_(0)",
    "isclose": "t.isclose(x, x + 1e-9); x.isclose(y); t.isclose(x, y, rtol=1.0, atol=0.5); t.isclose(i, i); "
    "t.isclose(b, b); "
    "t.isclose(x / 0, x / 0, equal_nan=True); t.isclose(x * float('inf'), x * float('inf')); t.isclose(x, i); "
    "t.isclose(x, y, -1); t.isclose(x * float('nan'), x * float('nan'))",
    "allclose": "t.allclose(x, x); x.allclose(y); t.allclose(x, x + 1, atol=2); "
    "t.allclose(input=x, other=y, rtol=9); "
    "t.allclose(x, x.double() if x.dtype == t.float32 else x.float())",
    "equal": "t.equal(x, x); x.equal(y); t.equal(x, x.unsqueeze(0)); t.equal(x, 3)",
    "isnan isinf isfinite": "t.isnan(x * float('nan')); x.isinf(); t.isinf(x / 0); t.isfinite(x); i.isnan(); "
    "i.isinf(); t.isfinite(i)",
    "cat": "t.cat([x, y]); t.cat((x, y), dim=-1); t.cat([x, y], 1); t.cat([x, i]); t.cat([x, y], axis=0); "
    "t.cat([]); "
    "t.cat(tensors=[x], dim=0); t.cat([x, y[:1]]); t.cat([x, y.T]); t.concat([x, y]); t.cat(x); "
    "t.cat([x, x.unsqueeze(0)])",
    "stack": "t.stack([x, y]); t.stack((x, y), dim=-1); t.stack([x, y], 1); t.stack([x], axis=0); "
    "t.stack([x, y[:1]]); t.stack([])",
    "split": "t.split(x, 1); x.split(2); x.split(2, 1); x.split([1, 2]); t.split(x, 2, dim=-1); x.split(0); "
    "x.split(99); "
    "t.split(x, split_size_or_sections=1); x.split([9]); x.split(-1); x.split(split_size=1)",
    "chunk": "t.chunk(x, 2); x.chunk(2, -1); x.chunk(99); t.chunk(x, chunks=3, dim=0); x.chunk(0)",
    "unbind select narrow": "t.unbind(x); x.unbind(-1); t.select(x, 0, 0); x.select(-1, -1); "
    "t.narrow(x, 0, 0, 1); x.narrow(-1, 0, 9)",
    "reshape": "t.reshape(x, (-1,)); x.reshape(-1); x.reshape(x.shape); x.T.reshape(-1); x.reshape(7, 7); "
    "x.reshape(2, -1); "
    "x.reshape(-1, -1); t.reshape(x, shape=(1, *x.shape)); t.ravel(x.T); x.reshape_as(y)",
    "view": "x.view(-1); x.view(x.shape); x.view(*x.shape, 1); x.T.view(-1); x.view(7, 7); x.view_as(y)",
    "flatten": "t.flatten(x); x.flatten(1); t.flatten(x, start_dim=0, end_dim=1); x.flatten(-1); "
    "x.flatten(1, 0); x.T.flatten()",
    "squeeze": "t.squeeze(x.unsqueeze(0)); x.squeeze(); x.unsqueeze(1).squeeze(1); x.squeeze(0); "
    "t.squeeze(x[None, :, None], dim=(0, 2)); "
    "x.squeeze(9); x.unsqueeze(-1).squeeze(dim=-1)",
    "unsqueeze": "t.unsqueeze(x, 0); x.unsqueeze(-1); x.unsqueeze(1); t.unsqueeze(x, dim=-2); x.unsqueeze(9)",
    "permute": "t.permute(x, (1, 0)); x.permute(1, 0); x.permute(2, 0, 1); x.permute((0, 2, 1)); "
    "t.permute(x, dims=(1, 0)); "
    "x.permute(-1, 0); x.permute(0, 0); x.permute()",
    "transpose": "t.transpose(x, 0, 1); x.transpose(0, -1); x.transpose(-1, -2); "
    "t.transpose(x, dim0=1, dim1=0); x.swapaxes(0, 1); "
    "x.t(); t.t(x); x.transpose(0, 9); x.mT",
    "expand": "x.expand(3, *x.shape); x.expand(*x.shape); x[:1].expand(5, *x.shape[1:]); "
    "x.expand(*[-1] * x.ndim); x.expand(2); "
    "x.unsqueeze(0).expand(2, *[-1] * x.ndim); x.expand((2, *x.shape)); x.expand(-1, *x.shape); s.expand_as(x)",
    "repeat": "x.repeat(2, *[1] * x.ndim); x.repeat(*[2] * x.ndim); x.repeat(*[0] * x.ndim); x.repeat((3,)); "
    "x.repeat(2, 1); "
    "x.repeat(-1); x.repeat()",
    "masked_fill": "x.masked_fill(b, 0.5); t.masked_fill(x, b, 2); (x * 1).masked_fill_(b, 0.0); i.masked_fill(b, 9)",
    "nonzero": "t.nonzero(b); t.nonzero(x * b, as_tuple=True)",
    "zeros_like": "t.zeros_like(x.detach()); t.zeros_like(i, dtype=t.float32); t.zeros_like(x.detach(), device='cpu')",
    "ones_like": "t.ones_like(x.detach()); t.ones_like(b); t.ones_like(input=i, dtype=t.float64); t.full_like(i, 3)",
    "rand_like": "t.rand_like(x.detach()).shape; t.rand_like(i, dtype=t.float32).dtype; t.rand_like(i); "
    "t.randn_like(x).shape",
    "is_tensor": "t.is_tensor(x); t.is_tensor(n); t.is_tensor(3)",
    "bits": "i & 3; i | i + 1; i ^ 1; ~i; 6 & i; i << 1; i >> 1; 3 << i; x & 1; ~x; x << 1; b & i; "
    "t.bitwise_and(i, 3); "
    "i.bitwise_or(i + 1); t.bitwise_xor(b, b); t.bitwise_not(i); t.bitwise_not(b); i.clone().bitwise_and_(1); "
    "i.clone().__iand__(1)",
    "cumsum": "t.cumsum(x, 0); x.cumsum(-1); t.cumsum(x, dim=1); x.cumsum(axis=0); i.cumsum(0); b.cumsum(0); "
    "x.cumsum(9); "
    "x.cumsum(0, dtype=t.float64)",
    "norm": "t.norm(x); x.norm(); x.norm(1); x.norm(float('inf')); x.norm(2, 0); "
    "t.norm(x, dim=-1, keepdim=True); (x * 0).norm(); "
    "i.norm()",
    "round tan": "t.round(x); t.round(x * 8); x.round(); t.round(i); t.tan(x); x.tan(); (x * 1).round_(); "
    "(x * 1).tan_()",
    "numel": "t.numel(x); x.numel(); x.nelement()",
    "clone detach": "t.clone(x); t.detach(x) * x",
}

MEMBERS: dict[str, str] = {
    "shape": "x.shape; x.T.shape; x.shape[0]; x.shape == tuple(x.shape); x.shape[:1]; x.shape.numel(); "
    "x.shape + (1,); x.shape * 2; hash(x.shape) == hash(tuple(x.shape))",
    "size": "x.size(); x.size(0); x.size(-1); x.size(dim=0); x.size(9)",
    "ndim": "x.ndim; x.dim()",
    "dtype": "x.dtype; i.dtype; b.dtype; x.is_floating_point(); i.is_floating_point(); x.dtype == t.float64; "
    "x.dtype.is_floating_point; x.dtype.itemsize",
    "device": "x.device; x.device.type; str(x.device); x.device == t.device('cpu'); x.is_cuda; "
    "x.to(t.device('cpu')); x.to('cpu'); x.cpu()",
    "item": "x.item(); i.item(); b.item(); x.sum().item(); i.sum().item(); b.any().item()",
    "tolist": "x.tolist(); i.tolist(); b.tolist(); s.tolist()",
    "numpy": "x.detach().numpy().tolist(); i.numpy().dtype; x.numpy(); x.numpy(force=True).tolist()",
    "clone": "x.clone(); x.T.clone(); i.clone()",
    "to": "x.to(t.float64); x.to(t.int64); x.to(dtype=t.float32); i.to(x); x.to(t.float64, copy=True); "
    "x.to('cpu', t.float32); x.to(y.device, t.float64); i.to(t.bool)",
    "type": "x.type(t.float64); x.type(t.int64); i.type(t.float32); x.type().rpartition('.')[2]; "
    "i.type().rpartition('.')[2]; b.type().rpartition('.')[2]; x.type_as(i)",
    "float double long bool int": "x.float(); x.double(); x.long(); x.bool(); x.int(); i.float(); b.double(); b.long()",
    "T": "x.T if x.ndim == 2 else 0",
    "fill_": "x.detach().clone().fill_(3); i.clone().fill_(3.7); (x * 1).fill_(2.0) + x; x.fill_(1); (x * 1).fill_(s)",
    "zero_": "x.detach().clone().zero_(); (x * 1).zero_() + x; i.clone().zero_(); x.zero_()",
    "normal_": "x.detach().clone().normal_().shape; x.detach().normal_(mean=5, std=0); i.normal_(); "
    "x.normal_(); x.detach().normal_(0, -1)",
    "uniform_": "x.detach().clone().uniform_().shape; x.detach().uniform_(3, 3); i.uniform_(); x.uniform_(); "
    "x.detach().uniform_(1, 0)",
    "copy_": "x.detach().clone().copy_(y); (x * 1).copy_(y); (x * 1).copy_(s); i.clone().copy_(p); "
    "(x * 1).copy_(y.unsqueeze(0).unsqueeze(0))",
    "data": "x.data; x.data.requires_grad; (x * 1).data; x.data.is_leaf",
    "grad": "x.grad is None; x.detach().grad is None",
    "requires_grad_": "x.requires_grad; x.detach().requires_grad; "
    "x.detach().clone().requires_grad_().requires_grad; i.requires_grad_(); (x * 1).requires_grad_(False); "
    "(x * 1).requires_grad",
    "is_leaf": "x.is_leaf; (x * 1).is_leaf; x.detach().is_leaf; (x.detach() * 1).is_leaf",
    "__len__": "len(x); len(i)",
    "__iter__": "list(x); [r.sum() for r in x]; 2.0 in x; list(iter(i))",
    "__format__": "f'{x.sum():.3f}'; format(i.sum(), '5d'); format(s, '.2e'); f'{i}'; format(x.detach(), '.2f')",
    "float() int() bool()": "float(x); int(x); bool(x); float(s); int(i.sum()); bool(x.sum() != 0); "
    "int(p.sum()); [5, 6][i.sum() * 0]; float(b)",
    "__array__": "x.detach().__array__().tolist(); i.__array__().dtype; b.__array__(bool).tolist()",
    "__dlpack__": "t.from_dlpack(x.detach().clone()); t.from_dlpack(n.copy()); "
    "x.detach().__dlpack_device__()[0]; x.__dlpack__(); t.from_dlpack(3)",
    "indexing": "x[0]; x[-1]; x[...]; x[None]; x[..., 0]; x[:1]; x[1:]; x[::2]; x[x > 0]; x[b]; x[[0]]; "
    "x[t.tensor([0])]; x[0, 0]; x[:, None]; "
    "x[[0], [0]]; x[t.tensor([[0], [0]])]; x[True]; x[False]; x[..., [0, 0]]; x[9]; x[0, 0, 0, 0, 0]; x[::-1]; "
    "x['a']; x[1.5]; x[i]; x[(0,)]; x[t.tensor(0)]",
    "is_contiguous": "x.is_contiguous(); x.T.is_contiguous(); x.T.contiguous(); x.contiguous(); x.stride(); "
    "x.T.stride(0); x.element_size(); x.nbytes; x.itemsize",
    "unary operators": "-x; +x; abs(x); -i; ~b; -b; ~x",
    "hash": "hash(x) == hash(x); x in {x: 1}; len({x, y})",
}

CREATION: dict[str, str] = {
    "tensor": "t.tensor([1.0, 2]); t.tensor([[1, 2], [3, 4]]); t.tensor([True]); t.tensor([]); t.tensor(3); "
    "t.tensor(n0); t.tensor([1, 2], dtype=t.float64); "
    "t.tensor(data=[1.5]); t.tensor([1, 2.5]); t.tensor([[1], [2, 3]]); t.tensor('a'); t.tensor(None); "
    "t.tensor([1.0], requires_grad=True).requires_grad; "
    "t.tensor([1], requires_grad=True); t.tensor(2**63); t.tensor([t.tensor(1), t.tensor(2)]); "
    "t.tensor((1, 2)); t.tensor([[]]); t.tensor(1, device='cpu'); "
    "t.tensor(1, device='cuda'); t.tensor(float('nan')); t.tensor([True, 2]); t.tensor([[1.0], [2.0]]).shape",
    "zeros": "t.zeros(2, 3); t.zeros((2, 0)); t.zeros([2]); t.zeros(()); t.zeros(size=(2,)); "
    "t.zeros(2, dtype=t.int64); t.zeros(-1); t.zeros(2, requires_grad=True).requires_grad; "
    "t.zeros(2.5); t.zeros('a'); t.zeros(2, dtype=t.bool); t.zeros(t.Size([2])); t.zeros(2, device='cpu'); "
    "t.zeros(2, device=t.device('cpu')).device; t.zeros(2, dtype=None)",
    "ones": "t.ones(2, 3); t.ones((2, 0)); t.ones(()); t.ones(2, dtype=t.int32); t.ones(2, dtype=t.bool); "
    "t.ones(size=(1, 2))",
    "full": "t.full((2,), 7); t.full((2,), 7.0); t.full((2,), True); t.full([2, 2], 1.5, dtype=t.float64); "
    "t.full((), 3); t.full((2,), fill_value=2); t.full(2, 3); t.full((2,), 2, dtype=t.float32)",
    "empty": "t.empty(2, 3).shape; t.empty((2, 0)); t.empty(2, dtype=t.int64).dtype; t.empty(-1)",
    "arange": "t.arange(5); t.arange(0.0, 1.0, 0.3); t.arange(5, 0, -2); t.arange(2, 5, dtype=t.float32); "
    "t.arange(start=1, end=4); t.arange(0); t.arange(3, 1); t.arange(0, 3, 0); "
    "t.arange(1, 4, step=2); t.arange(1, 2.5); t.arange(-3.0); t.arange(3.0); t.arange(5, dtype=t.int32); "
    "t.arange(0, 1, 0.25); t.arange(t.tensor(3))",
    "linspace": "t.linspace(0, 1, 5); t.linspace(0, 1, steps=1); t.linspace(3, -2, 4, dtype=t.float64); "
    "t.linspace(0, 1, 0); t.linspace(0, 1, -1); t.linspace(start=-1, end=1, steps=3); "
    "t.linspace(t.tensor(0.0), 2, 3)",
    "eye": "t.eye(3); t.eye(2, 3); t.eye(2, m=4, dtype=t.int64); t.eye(0); t.eye(-1); t.eye(n=2)",
    "rand": "t.rand(2, 3).shape; t.rand((2, 3)).dtype; t.rand(2, dtype=t.float64).dtype; t.rand(()).shape; "
    "t.rand(-1); t.rand(2, dtype=t.int64); t.rand(size=(2,)).shape; t.rand(2, requires_grad=True).requires_grad; "
    "t.rand(3, generator=t.Generator()).shape",
    "randn": "t.randn(2, 3).shape; t.randn(2, dtype=t.float64).dtype; t.randn(2, dtype=t.int64); "
    "t.randn(size=(2,)).shape; t.randn(0)",
    "normal": "t.normal(0, 1, (2,)).shape; t.normal(0.0, 1.0, size=(2, 2)).dtype; "
    "t.normal(t.zeros(2), t.ones(2)).shape; t.normal(t.zeros(2)).shape; t.normal(0.0, t.ones(2)).shape; "
    "t.normal(t.zeros(2), 2.0).shape; "
    "t.normal(t.zeros(2), -1.0); t.normal(0, -1, (2,)); t.normal(t.zeros(2), t.ones(3)); t.normal(2, 3); "
    "t.normal(0, 1, 2); t.normal(0, 1, ()).shape; t.normal(t.arange(3), 1.0); "
    "t.normal(0.0, 1.0, (2,), dtype=t.float64).dtype; t.normal(mean=t.ones(2), std=t.zeros(2)); "
    "t.normal(t.zeros(2, 1), t.ones(3)).shape; t.normal(t.arange(3.0), 0.0)",
    "randint": "t.randint(3, (2,)).dtype; t.randint(low=0, high=3, size=(2,)).shape; t.randint(3, 3, (2,)); "
    "t.randint(0, (2,)); t.randint(2, 5, (2,), dtype=t.float32).dtype; t.randint(3, 2); t.randint(3, [2]).shape; "
    "t.randint(high=4, size=(1,)).shape; t.randint(1, ()); t.randint(5, 6, (2,)); "
    "t.randint(1, (2,), dtype=t.int32)",
    "randperm": "t.randperm(5).sort().values; t.randperm(5).dtype; t.randperm(0); t.randperm(-1); "
    "t.randperm(1, dtype=t.int32); t.randperm(n=1)",
    "from_numpy": "t.from_numpy(n0); t.from_numpy(n0.T); t.from_numpy([1]); t.as_tensor(n0); "
    "t.as_tensor([1.5]); t.as_tensor([1], dtype=t.float64)",
    "Size": "t.Size([2, 3]); t.Size((2,)); t.Size([]); t.Size([2, 3]) == (2, 3); t.Size([2, 3])[0]; "
    "t.Size([2, 3]).numel(); t.Size([2, 3])[1:]; len(t.Size([1]))",
    "device": "t.device('cpu'); t.device('cpu', 0); t.device('cpu:1'); t.device('cpu').index; "
    "t.device(type='cpu'); t.device('cpu') == t.device('cpu'); t.device('foo'); t.device(3.5); "
    "str(t.device('cpu:0')); t.zeros(2, device='cuda')",
    "dtypes": "t.float32; t.float64; t.int32; t.int64; t.bool; t.float; t.double; t.int; t.long; "
    "t.float32.is_floating_point; t.int64.itemsize; t.float is t.float32",
    "float32 float64 int32 int64 bool": "t.ones(1, dtype=t.float32); t.ones(1, dtype=t.float64); "
    "t.ones(1, dtype=t.int32); t.ones(1, dtype=t.int64); t.ones(1, dtype=t.bool); t.ones(1, dtype=t.long)",
    "manual_seed": "[t.manual_seed(3), t.rand(2), t.manual_seed(3), t.rand(2)][1].shape; t.manual_seed('a'); "
    "t.equal(*[(t.manual_seed(5), t.rand(3))[1] for _ in '12'])",
    "no_grad": "[t.no_grad().__enter__(), t.is_grad_enabled(), t.set_grad_enabled(True)][1]; "
    "t.no_grad()(lambda: t.is_grad_enabled())(); t.no_grad(lambda: t.is_grad_enabled())()",
    "enable_grad": "t.no_grad()(t.enable_grad()(lambda: t.is_grad_enabled()))(); "
    "t.enable_grad(lambda: t.is_grad_enabled())()",
    "get_num_threads": "type(t.get_num_threads())",
    "set_num_threads": "t.set_num_threads(t.get_num_threads()); t.set_num_threads(0); t.set_num_threads('a')",
}  # fmt: skip

# Names that a table of calls cannot hold, and where they are tested against PyTorch instead.
UNCOVERED: dict[str, str] = {
    "save": "test_saving.py: other files than PyTorch's",
    "load": "test_saving.py: other files than PyTorch's",
    "backward": "below: test_backward_and_its_arguments",
    "retain_grad": "below: test_backward_and_its_arguments",
}
