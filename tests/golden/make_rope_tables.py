#!/usr/bin/env python3
"""Makes tests/golden/rope_tables.json: cosines and sines of rotary positions as transformers computes them, in float32.

    python tests/golden/make_rope_tables.py      # needs torch and transformers

"cases" are of LlamaRotaryEmbedding: one for each kind of RoPE and each of its options. Of a table, the rows named in "positions" are kept, as float32 with 9
significant digits, so they read back to the bit. "prompt" is the length of the first forward pass, which "dynamic" depends on; positions from
there on are single steps of decoding. "families" are whole configurations as files have them, in old and new keys and with keys left out, and
the table of one layer each, from the module that the family's model has.
"""
import json
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, CONFIG_MAPPING
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

SIZES = dict(vocab_size=31, hidden_size=64, intermediate_size=40, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256)
PAIRS = dict(short_factor=[1.0, 1.05, 1.2, 1.7, 2.5, 4.0, 7.0, 9.5], long_factor=[1.1, 1.3, 2.0, 3.9, 8.0, 15.5, 30.0, 61.0])

# what: model_type, config.json, layer, prompt, positions
FAMILIES = {
    "longrope, short": ("phi3", dict(original_max_position_embeddings=64, rope_theta=10000.0, rope_scaling=dict(type="longrope", **PAIRS)), 0, 60, [1, 59]),
    "longrope, long": ("phi3", dict(original_max_position_embeddings=64, rope_scaling=dict(type="longrope", **PAIRS)), 0, 65, [1, 64, 200]),
    "longrope called su": ("phi3", dict(rope_scaling=dict(type="su", original_max_position_embeddings=64, **PAIRS)), 0, 65, [1, 64]),
    "longrope called yarn": ("phi3", dict(original_max_position_embeddings=64, rope_scaling=dict(type="yarn", **PAIRS)), 0, 65, [1, 64]),
    "longrope, attention_factor given": ("phi3", dict(rope_parameters=dict(rope_type="longrope", rope_theta=5000.0, attention_factor=1.25,
                                         original_max_position_embeddings=32, **PAIRS)), 0, 40, [1, 39]),
    "longrope, factor given": ("phi3", dict(rope_parameters=dict(rope_type="longrope", rope_theta=5000.0, factor=16.0, original_max_position_embeddings=32,
                               **PAIRS)), 0, 20, [1, 19]),
    "a part of the head, new keys": ("phi3", dict(rope_parameters=dict(rope_type="default", rope_theta=10000.0, partial_rotary_factor=0.75)), 0, 0, [1, 255]),
    "a part of the head, old key": ("phi3", dict(partial_rotary_factor=0.5, rope_theta=250000.0), 0, 0, [1, 255]),
    "a part of the head by the class": ("stablelm", {}, 0, 0, [1, 255]),
    "rotary_pct and rotary_emb_base": ("gpt_neox", dict(rotary_pct=0.5, rotary_emb_base=500), 0, 0, [1, 255]),
    "a quarter by the class": ("gpt_neox", {}, 0, 0, [1, 255]),
    "linear and a part of the head": ("phi", dict(partial_rotary_factor=0.5, rope_scaling=dict(type="linear", factor=3.0)), 0, 0, [1, 255]),
    "gemma3 says nothing, sliding": ("gemma3_text", dict(head_dim=16, num_hidden_layers=6), 0, 0, [1, 255]),
    "gemma3 says nothing, full": ("gemma3_text", dict(head_dim=16, num_hidden_layers=6), 5, 0, [1, 255]),
    "gemma3 in old keys, sliding": ("gemma3_text", dict(head_dim=16, num_hidden_layers=6, rope_theta=2e6, rope_local_base_freq=300.0,
                                    rope_scaling=dict(rope_type="linear", factor=8.0)), 0, 0, [1, 255]),
    "gemma3 in old keys, full": ("gemma3_text", dict(head_dim=16, num_hidden_layers=6, rope_theta=2e6, rope_local_base_freq=300.0,
                                 rope_scaling=dict(rope_type="linear", factor=8.0)), 5, 0, [1, 255]),
    "gemma3 in new keys, sliding": ("gemma3_text", dict(head_dim=16, num_hidden_layers=6, rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0,
                                    rope_theta=3e6), sliding_attention=dict(rope_type="default", rope_theta=700.0))), 1, 0, [1, 255]),
    "gemma3 in new keys, full": ("gemma3_text", dict(head_dim=16, num_hidden_layers=6, rope_parameters=dict(full_attention=dict(rope_type="linear", factor=8.0,
                                 rope_theta=3e6), sliding_attention=dict(rope_type="default", rope_theta=700.0))), 5, 0, [1, 255]),
    "olmo3 in old keys, sliding": ("olmo3", dict(rope_theta=2000.0, rope_scaling=dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=32)), 0, 0, [1, 255]),
    "olmo3 in old keys, full": ("olmo3", dict(rope_theta=2000.0, rope_scaling=dict(rope_type="yarn", factor=8.0, original_max_position_embeddings=32)), 3, 0, [1, 255]),
    "olmo3 in flat new keys, which mean nothing": ("olmo3", dict(rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=900.0)), 3, 0, [1, 255]),
    "a theta stretched by alpha": ("hunyuan_v1_dense", dict(head_dim=16, rope_theta=10000.0, rope_scaling=dict(type="dynamic", alpha=1000.0, factor=1.0)), 0, 0, [1, 255]),
    "alpha in new keys": ("hunyuan_v1_dense", dict(head_dim=16, rope_parameters=dict(rope_type="dynamic", alpha=50.0, factor=1.0, rope_theta=10000.0)), 0, 300, [1, 299]),
    "ministral3 says nothing": ("ministral3", dict(head_dim=16, max_position_embeddings=262144), 0, 0, [1, 20000]),
    "apertus says nothing": ("apertus", dict(max_position_embeddings=65536), 0, 0, [1, 20000]),
    "cohere's theta": ("cohere", {}, 0, 0, [1, 255]),
    "glm": ("glm", dict(head_dim=16), 0, 0, [1, 255]),
    "a flat dict and layer types": ("qwen3", dict(head_dim=16, rope_parameters=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=64,
                                    rope_theta=1e6)), 0, 0, [1, 255]),
    "llama3 beside rope_theta": ("smollm3", dict(rope_theta=5e6, rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                 original_max_position_embeddings=64)), 0, 0, [1, 255]),
}


def digits(values):
    return [float(f"{v:.9g}") for v in values.tolist()]


def family_table(model_type, file, layer, prompt, positions):
    config = CONFIG_MAPPING[model_type].from_dict(json.loads(json.dumps({"model_type": model_type, "pad_token_id": 0} | SIZES | file)))
    model = AutoModelForCausalLM.from_config(config)
    rotary = next(module for module in model.modules() if type(module).__name__.endswith("RotaryEmbedding"))
    layer_types = getattr(config, "layer_types", None)
    by_type = hasattr(rotary, "full_attention_inv_freq")
    more = {"layer_type": layer_types[layer]} if by_type else {}
    with torch.no_grad():
        cosines, sines = rotary(torch.zeros(1), torch.arange(max(prompt, max(positions) + 1))[None], **more)
    interleaved = torch.equal(cosines[0, -1, 0::2], cosines[0, -1, 1::2])       # each number twice, side by side
    half = cosines.shape[-1] // 2
    pick = lambda t: t[0::2] if interleaved else t[:half]
    return {"cos": [digits(pick(cosines[0, p])) for p in positions], "sin": [digits(pick(sines[0, p])) for p in positions]}


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
    return {"cos": [digits(rows[p][0]) for p in positions], "sin": [digits(rows[p][1]) for p in positions]}


def main():
    cases = []
    for name, (head_dim, length, prompt, positions, rope) in CASES.items():
        config = {"max_position_embeddings": length, "rope_parameters": rope}
        cases.append({"name": name, "head_dim": head_dim, "prompt": prompt, "positions": positions, "config": config}
                     | table(head_dim, length, prompt, positions, rope))
    head = {"torch": torch.__version__, "transformers": transformers.__version__}
    families = []
    for name, (model_type, file, layer, prompt, positions) in FAMILIES.items():
        families.append({"name": name, "layer": layer, "prompt": prompt, "positions": positions, "config": {"model_type": model_type} | SIZES | file}
                        | family_table(model_type, file, layer, prompt, positions))
    listed = lambda rows: ",\n".join("  " + json.dumps(row) for row in rows)
    text = json.dumps(head)[:-1] + ', "cases": [\n' + listed(cases) + '\n], "families": [\n' + listed(families) + "\n]}\n"
    Path(__file__).with_name("rope_tables.json").write_text(text)


if __name__ == "__main__":
    main()
