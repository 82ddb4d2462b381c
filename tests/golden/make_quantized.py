#!/usr/bin/env python3
"""Writes quantized.json: what bitsandbytes makes of a few weights. And runtime/checkpoint/dynamic_map.inc, its map for double quantisation.

    python -m venv v && v/bin/pip install torch bitsandbytes==0.50.2 && v/bin/python tests/golden/make_quantized.py

The weights themselves are made by a formula that the test repeats: see weight().
"""
import json, pathlib, struct
import bitsandbytes
import torch
from bitsandbytes import functional as F

HERE = pathlib.Path(__file__).resolve().parent


def weight(rows, columns, seed):
    """float32 in about [-0.1, 0.1] from a linear congruential generator; every 37th is 1/16."""
    state, values = seed, []
    for i in range(rows * columns):
        state = (state * 1664525 + 1013904223) % 2**32
        values.append(((state >> 8) / 2**24 - 0.5) * 0.2 if i % 37 else 0.0625)
    return torch.tensor(values, dtype=torch.float32).reshape(rows, columns)


def hexes(t):
    return bytes(t.contiguous().view(torch.uint8).flatten().tolist()).hex()


def case4(rows, columns, seed, kind, dtype, nested):
    w = weight(rows, columns, seed).to(dtype)
    if seed % 2 == 0:
        w.view(-1)[:64] = 0
    packed, state = F.quantize_4bit(w, blocksize=64, compress_statistics=nested, quant_type=kind)
    made = {"rows": rows, "columns": columns, "seed": seed, "kind": kind, "dtype": str(dtype)[6:], "nested": nested,
            "codes": hexes(packed), "absmax": hexes(state.absmax)}
    if nested:
        made |= {"nested_absmax": hexes(state.state2.absmax), "offset": hexes(state.offset.reshape(1))}
    values = F.dequantize_4bit(packed, state)
    if dtype == torch.float32 and not nested:
        made["values"] = hexes(values)
    return made


def case8(rows, columns, seed, dtype):
    w = weight(rows, columns, seed).to(dtype)
    codes, scb, _ = F.int8_vectorwise_quant(w.to(torch.float16))
    return {"rows": rows, "columns": columns, "seed": seed, "kind": "int8", "dtype": str(dtype)[6:], "nested": False, "codes": hexes(codes),
            "absmax": hexes(scb)}


def main():
    cases = []
    for kind in ("nf4", "fp4"):
        cases += [case4(3, 64, 1, kind, torch.float32, False), case4(4, 96, 2, kind, torch.float32, False),
                  case4(3, 48, 3, kind, torch.bfloat16, False), case4(5, 20, 4, kind, torch.float16, False),
                  case4(96, 192, 5, kind, torch.float32, True)]
    cases += [case8(3, 70, 6, torch.float32), case8(4, 64, 7, torch.bfloat16)]
    torch.set_num_threads(1)
    means = [{"count": n, "mean": hexes(weight(1, n, n).mean().reshape(1))} for n in (1, 7, 40, 100, 1111, 5000, 20000, 70001)]
    with open(HERE / "quantized.json", "w") as file:
        json.dump({"made_by": f"bitsandbytes {bitsandbytes.__version__}, torch {torch.__version__}", "cases": cases,
                   "means": means}, file, indent=0)
        file.write("\n")
    values = F.create_dynamic_map()
    with open(HERE.parents[1] / "runtime/checkpoint/dynamic_map.inc", "w") as file:
        for i in range(0, 256, 8):
            file.write("    " + ", ".join(f"{float(v).hex()}f" for v in values[i:i + 8]) + ",\n")


main()
