#!/usr/bin/env python3
"""Blocks as PyPI's gguf writes them, for tests/checkpoint/test_blocks_write.c: gguf_blocks_written.json. Needs `pip install gguf`.

Values are given by their float32 bits: random ones of several sizes, and blocks of zeros, of one sign, of ties, of one value, tiny ones.
"""
import importlib.metadata
import json
import pathlib

import gguf
import numpy as np

TYPES = ["F32", "F16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]

r = np.random.default_rng(8)
rows = [r.standard_normal(32) * scale for scale in (1e-5, 0.02, 0.02, 1, 1, 300)]
rows += [np.zeros(32), np.full(32, 0.75), np.full(32, -0.3), np.abs(r.standard_normal(32)), -np.abs(r.standard_normal(32)), np.arange(-16, 16) / 16,
         np.arange(32) % 3 - 1, np.where(np.arange(32) == 17, -2.5, 0), np.arange(-16, 16) * 127 / 254, r.standard_normal(32) * 1e-30]
values = np.asarray(rows, np.float32)
out = {"gguf": importlib.metadata.version("gguf"), "values": values.tobytes().hex(), "types": []}
for name in TYPES:
    kind = gguf.GGMLQuantizationType[name]
    out["types"].append({"name": name, "id": int(kind), "blocks": gguf.quants.quantize(values, kind).tobytes().hex()})
path = pathlib.Path(__file__).resolve().parent / "gguf_blocks_written.json"
path.write_text(json.dumps(out, indent=1) + "\n")
print(path, path.stat().st_size)
