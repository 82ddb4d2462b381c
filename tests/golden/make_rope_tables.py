#!/usr/bin/env python3
"""Makes tests/golden/rope_tables.json: cosines and sines of rotary positions as transformers computes them, in float32.

    python tests/golden/make_rope_tables.py      # needs torch and transformers

One case for each kind of RoPE and each of its options. Of a table, the rows named in "positions" are kept, as float32 with 9
significant digits, so they read back to the bit. "prompt" is the length of the first forward pass, which "dynamic" depends on; positions from
there on are single steps of decoding.
"""
import json
from pathlib import Path

import torch
import transformers
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

# name: head_dim, max_position_embeddings, prompt, positions, rope_parameters
CASES = {
    "default": (32, 512, 0, [0, 1, 2, 77, 511], {"rope_type": "default", "rope_theta": 10000.0}),
    "default, theta of SmolLM2": (64, 8192, 0, [1, 4095, 8191], {"rope_type": "default", "rope_theta": 100000}),
    "linear": (24, 512, 0, [1, 100, 511], {"rope_type": "linear", "factor": 2.5, "rope_theta": 10000.0}),
    "dynamic, never beyond": (16, 32, 20, [1, 19, 31], {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0}),
    "dynamic, decoding crosses the border": (16, 32, 30, [1, 31, 32, 33, 60], {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10000.0}),
    "dynamic, the prompt is beyond": (16, 32, 50, [1, 31, 32, 49, 50, 60], {"rope_type": "dynamic", "factor": 2.5, "rope_theta": 10000.0}),
    "llama3": (64, 8192, 0, [1, 1000, 8191], {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                            "original_max_position_embeddings": 1024, "rope_theta": 500000.0}),
    "yarn": (32, 512, 0, [1, 100, 511], {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128, "rope_theta": 10000.0}),
    "yarn, everything given": (24, 512, 0, [1, 100, 511], {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 20,
                                                         "attention_factor": 1.3, "beta_fast": 3.0, "beta_slow": 0.25, "truncate": False,
                                                         "rope_theta": 1000.0}),
    "yarn, mscale": (32, 512, 0, [1, 100, 511], {"rope_type": "yarn", "factor": 5.0, "original_max_position_embeddings": 32, "mscale": 1.0,
                                               "mscale_all_dim": 0.6, "rope_theta": 10000.0}),
    "yarn, no range between the betas": (8, 512, 0, [1, 100, 511], {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128,
                                                                  "beta_fast": 2.0, "beta_slow": 2.0, "truncate": False, "rope_theta": 10000.0}),
}


def table(head_dim, length, prompt, positions, rope):
    config = LlamaConfig(hidden_size=2 * head_dim, num_attention_heads=2, max_position_embeddings=length, rope_parameters=dict(rope))
    rotary = LlamaRotaryEmbedding(config)
    x = torch.zeros(1)
    rows = {}
    with torch.no_grad():
        first = torch.arange(prompt or max(positions) + 1)
        passes = [first] + [torch.tensor([p]) for p in range(len(first), max(positions) + 1)]
        for ids in passes:
            cosines, sines = rotary(x, ids[None])
            rows |= {int(p): (c[:head_dim // 2], s[:head_dim // 2]) for p, c, s in zip(ids, cosines[0], sines[0])}
    digits = lambda t: [float(f"{v:.9g}") for v in t.tolist()]
    return {"cos": [digits(rows[p][0]) for p in positions], "sin": [digits(rows[p][1]) for p in positions]}


def main():
    cases = []
    for name, (head_dim, length, prompt, positions, rope) in CASES.items():
        config = {"max_position_embeddings": length, "rope_parameters": rope}
        cases.append({"name": name, "head_dim": head_dim, "prompt": prompt, "positions": positions, "config": config}
                     | table(head_dim, length, prompt, positions, rope))
    head = {"torch": torch.__version__, "transformers": transformers.__version__}
    lines = ",\n".join("  " + json.dumps(case) for case in cases)
    text = json.dumps(head)[:-1] + ', "cases": [\n' + lines + "\n]}\n"
    Path(__file__).with_name("rope_tables.json").write_text(text)


if __name__ == "__main__":
    main()
