#!/usr/bin/env python3
"""Makes corpus/gguf_model: the beginnings, up to the data, of some of tests/golden/gguf.

usage: tests/fuzz/make_gguf_corpus.py        writes beside itself; needs gguf
"""
from pathlib import Path

import gguf

HERE = Path(__file__).resolve().parent
# One of each way to tell something: lists of layers, numbers among the key-values, factors of frequencies, what only tensors tell.
NAMES = "apertus deepseek_v2 falcon-new gemma4 gemma4-keys lfm2_moe llama ministral3 mpt phi3-longrope qwen3_5_moe".split()

out = HERE / "corpus" / "gguf_model"
out.mkdir(parents=True, exist_ok=True)
for name in NAMES:
    path = HERE.parent / "golden" / "gguf" / f"{name}.gguf"
    (out / name).write_bytes(path.read_bytes()[:gguf.GGUFReader(path).data_offset])
