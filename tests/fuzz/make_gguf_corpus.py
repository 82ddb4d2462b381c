#!/usr/bin/env python3
"""Makes corpus/gguf_model: the beginnings, up to the data, of some of tests/golden/gguf.

usage: tests/fuzz/make_gguf_corpus.py        writes beside itself; needs gguf and numpy
"""
from pathlib import Path

import gguf
import numpy

HERE = Path(__file__).resolve().parent
# One of each way to tell something: lists of layers, numbers among the key-values, factors of frequencies, what only tensors tell.
NAMES = "apertus deepseek_v2 falcon-new gemma4 gemma4-keys lfm2_moe llama ministral3 mpt phi3-longrope qwen3_5_moe".split()

out = HERE / "corpus" / "gguf_model"
out.mkdir(parents=True, exist_ok=True)
for name in NAMES:
    path = HERE.parent / "golden" / "gguf" / f"{name}.gguf"
    (out / name).write_bytes(path.read_bytes()[:gguf.GGUFReader(path).data_offset])

# A list where one number is expected, in the architecture that has lists.
writer = gguf.GGUFWriter(out / "layers-as-list", "gemma4")
writer.add_array("gemma4.block_count", [2])
writer.add_array("gemma4.attention.head_count_kv", [1, 1])
writer.add_array("gemma4.attention.sliding_window_pattern", [True, False])
for key in ("embedding_length", "attention.head_count", "context_length"):
    writer.add_uint32(f"gemma4.{key}", 8)
writer.add_tensor("token_embd.weight", numpy.zeros((4, 8), numpy.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
