"""Writes the measurements of bench.step, bench.kernels and bench.chains into README.md and docs/benchmarks.md.

python -m bench.step --out docs/step.json
python -m bench.step --threads 2 --out docs/step-2.json
python -m bench.kernels --out docs/kernels.json --plot docs/kernels.svg
python -m bench.chains --out docs/chains.json
python docs/tables.py
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
NAMES = {
    "graphnet": "graphnet",
    "compiled": "graphnet, compiled",
    "numpy": "NumPy by hand",
    "torch": "PyTorch",
    "torch.compile": "PyTorch, compiled",
    "jax": "JAX, compiled",
    "onnxruntime": "ONNX Runtime",
}


def table(report: dict[str, Any], kinds: dict[str, str]) -> str:
    """Times in µs of steps and inference, and graphnet's over the best of the others', as a Markdown table."""
    taking = {name for result in report["results"] for kind in kinds for name in result[kind]}
    names = [name for name in NAMES if name in taking]
    lines = ["| network, batch | " + " | ".join(NAMES[name] for name in names) + " | of the best other |"]
    lines.append("| --- |" + " ---: |" * (len(names) + 1))
    for result in report["results"]:
        for kind, word in kinds.items():
            times = result[kind]
            cells = [time(times[name]["seconds"]) if name in times else "" for name in names]
            best = times["best"]
            cells.append(f"{times[best]['ratio']:.2f}" + ("" if result["placed"] else " *"))
            lines.append(f"| {result['network']}{word} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def time(seconds: float) -> str:
    """Microseconds, with a digit behind the point for short ones."""
    return f"{seconds * 1e6:.1f}" if seconds < 1e-5 else f"{seconds * 1e6:.0f}"


def machine(report: dict[str, Any]) -> str:
    """What it was measured on, in a sentence."""
    found = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    threads = "one thread" if found["threads"] == 1 else f"{found['threads']} threads"
    return f"{found['cpu']}, {threads}, {found['target']}, {found['compiler']}, Python {found['python']}, {versions}."


def products(report: dict[str, Any]) -> str:
    """Matrix products beside NumPy's and PyTorch's, as a Markdown table."""
    lines = ["| threads | m × k × n | GFLOP/s | of peak | NumPy | PyTorch | ratio | bar |"]
    lines.append("| --- | --- |" + " ---: |" * 6)
    for row in report["products"]:
        rates, name = row["gflops"], f"{row['kind']} {row['m']} × {row['k']} × {row['n']}"
        ratio = f"{row['ratio']:.2f}" + ("" if row["bar"] is None or row["ratio"] >= row["bar"] else " (short)")
        cells = [f"{rates['graphnet']:.1f}", f"{rates['graphnet'] / row['peak']:.0%}", f"{rates['numpy']:.1f}"]
        cells += [f"{rates['torch']:.1f}" if "torch" in rates else "", ratio, str(row["bar"] or "")]
        if row["placed"]:
            lines.append(f"| {row['threads']} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def memory(report: dict[str, Any]) -> str:
    """Kernels that compute little beside a copy, as a Markdown table."""
    places = list(dict.fromkeys(row["place"] for row in report["memory"]))
    found = {(row["kernel"], row["place"]): row for row in report["memory"]}
    lines = ["| kernel | " + " | ".join(f"{place}: GB/s | of a copy" for place in places) + " |"]
    lines.append("| --- |" + " ---: |" * (2 * len(places)))
    for kernel in dict.fromkeys(row["kernel"] for row in report["memory"]):
        cells = [f"{found[kernel, p]['gbytes']:.1f} | {found[kernel, p]['of_copy']:.0%}" for p in places]
        lines.append(f"| {kernel} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def chains(report: dict[str, Any]) -> str:
    """Chains of elementwise operations: times in µs, and graphnet's over the others', as a Markdown table."""
    names = {"graphnet": "graphnet", "op by op": "op by op", "numpy": "NumPy"}
    names |= {"torch.compile": "torch.compile", "jax": "JAX, compiled"}
    found = [name for name in names if all(name in row["times"] for row in report["results"])]
    lines = ["| expression, place | " + " | ".join(names[name] for name in found) + " |"]
    lines.append("| --- |" + " ---: |" * len(found))
    for row in report["results"]:
        cells = [
            time(row["times"][name]["seconds"])
            + (f" ({row['times'][name]['ratio']:.2f})" if name != "graphnet" else "")
            for name in found
        ]
        lines.append(f"| {row['case']}, {row['place']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def kernels_machine(report: dict[str, Any]) -> str:
    """What the kernels were measured on, in a sentence."""
    found = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return f"{found['cpu']}, {found['target']}, {found['compiler']}, Python {found['python']}, {versions}."


def filled(
    text: str, report: dict[str, Any], two: dict[str, Any], kernels: dict[str, Any], elementwise: dict[str, Any]
) -> str:
    """A page with the parts between its marks written anew."""
    parts = {
        "steps": table(report, {"step": ""}),
        "all": table(report, {"step": ": step", "infer": ": inference"}),
        "two": table(two, {"step": ": step", "infer": ": inference"}),
        "machine": machine(report),
        "products": products(kernels),
        "memory": memory(kernels),
        "chains": chains(elementwise),
        "kernels-machine": kernels_machine(kernels),
    }
    for name, part in parts.items():
        pattern = rf"(<!-- bench: {name} -->\n).*?(\n<!-- end -->)"
        text = re.sub(pattern, lambda found, part=part: f"{found[1]}\n{part}\n{found[2]}", text, flags=re.DOTALL)  # type: ignore[misc]
    return text


def reports() -> list[dict[str, Any]]:
    """What was measured: networks on one thread and on two, kernels, chains."""
    names = ("step.json", "step-2.json", "kernels.json", "chains.json")
    return [json.loads((FOLDER / name).read_text(encoding="utf-8")) for name in names]


def main() -> None:
    """Fill both pages."""
    found = reports()
    for page in (FOLDER.parent / "README.md", FOLDER / "benchmarks.md"):
        page.write_text(filled(page.read_text(encoding="utf-8"), *found), encoding="utf-8")


if __name__ == "__main__":
    main()
