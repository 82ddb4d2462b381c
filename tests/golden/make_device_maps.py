#!/usr/bin/env python3
"""Writes device_maps.json: 40 device maps that transformers computes for models on the meta device under made-up limits of memory.

Usage: make_device_maps.py [OUT]     needs torch, transformers 5.23 and accelerate; made with torch 2.15, accelerate 1.15

A module is {"n": name, "w": 1 if it is never split, "p" and "b": [name, bytes] of its parameters and buffers, "c": modules in it}; a name "3-7"
stands for five equal ones. A parameter that is tied to another has 0 bytes. "ties" are the names that lie together. Limits are of devices, in
order, then "cpu" and "disk" where given; "balanced" what they are after balancing; "map" is what comes out.
"""
import copy
import json
import logging
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.integrations import accelerate as placing

logging.disable(logging.WARNING)

LLAMA = dict(vocab_size=1000, hidden_size=64, intermediate_size=192, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128)
MODELS = {
    "llama": ("float16", dict(num_hidden_layers=10, tie_word_embeddings=False, **LLAMA)),
    "qwen2": ("float32", dict(num_hidden_layers=5, tie_word_embeddings=True, **dict(LLAMA, vocab_size=3000))),
    "gpt2": ("float32", dict(n_layer=4, n_embd=64, n_head=4, vocab_size=500, n_positions=64)),
    "mixtral": ("bfloat16", dict(num_hidden_layers=3, num_local_experts=4, num_experts_per_tok=2, **LLAMA)),
    "falcon": ("bfloat16", dict(num_hidden_layers=3, hidden_size=64, num_attention_heads=4, vocab_size=700)),
    "opt": ("float16", dict(num_hidden_layers=3, hidden_size=64, ffn_dim=128, num_attention_heads=4, vocab_size=300,
                            max_position_embeddings=64, word_embed_proj_dim=32)),
    "deepseek_v3": ("bfloat16", dict(num_hidden_layers=4, first_k_dense_replace=2, hidden_size=64, vocab_size=600, intermediate_size=256,
                                     moe_intermediate_size=64, n_routed_experts=4, n_group=1, topk_group=1, num_experts_per_tok=2,
                                     num_attention_heads=4, num_key_value_heads=4, q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=8,
                                     qk_nope_head_dim=8, v_head_dim=8)),
    "gemma4_text": ("bfloat16", dict(num_hidden_layers=6, hidden_size=64, intermediate_size=96, vocab_size=400, vocab_size_per_layer_input=400,
                                     hidden_size_per_layer_input=16, num_attention_heads=4, num_key_value_heads=1, head_dim=16,
                                     global_head_dim=16, num_kv_shared_layers=2,
                                     layer_types=["sliding_attention", "full_attention"] * 3)),
}


def limits_of(total):
    """Ten sets, as fractions of the model: plenty, tight, uneven, none on the first, only the host."""
    part = lambda x: int(total * x)
    return [{0: part(10), "cpu": part(10)}, {0: part(1), "cpu": part(10)}, {0: part(0.5), "cpu": part(0.4)}, {"cpu": part(0.6)},
            {0: part(10), 1: part(10), "cpu": part(10)}, {0: part(0.4), 1: part(0.35), "cpu": part(10)},
            {0: part(0.5), 1: part(0.25), 2: part(0.5), "cpu": part(0.3)}, {0: 0, 1: part(0.6), 2: part(0.9), "cpu": part(10)},
            {0: part(0.26), 1: part(0.26), 2: part(0.26), 3: part(0.26), "cpu": part(10)}, {0: part(10), 1: part(0.2), "cpu": part(10), "disk": part(1)}]


def tree(module, tied, name=""):
    before = name + "." if name else ""
    made = {"n": name.rpartition(".")[2]}
    if type(module).__name__ in tree.no_split:
        made["w"] = 1
    tensors = {"p": [[n, p.nbytes * (before + n not in tied)] for n, p in module.named_parameters(recurse=False)],
               "b": [[n, b.nbytes] for n, b in module.named_buffers(recurse=False)]}
    made.update({key: value for key, value in tensors.items() if value})
    parts = []
    for n, child in module.named_children():
        new = tree(child, tied, before + n)
        last = parts[-1] if parts else None
        if last and n.isdigit() and {**new, "n": 0} == {**last, "n": 0}:
            last["n"] = f"{last['n'].partition('-')[0]}-{n}"
        else:
            parts.append(new)
    if parts:
        made["c"] = parts
    return made


def main(out):
    models, cases = {}, []
    for number, (name, (dtype, options)) in enumerate(MODELS.items()):
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **options), dtype=getattr(torch, dtype))
        tied = dict(model.all_tied_weights_keys or {})
        tree.no_split = set(model._no_split_modules or [])
        models[name] = {"tree": tree(model, tied), "ties": sorted([k, v] for k, v in tied.items())}
        total = placing.compute_module_sizes(model)[0][""]
        every = [(limits, kind) for limits in limits_of(total) for kind in ("auto", "balanced_low_0", "sequential")]
        for limits, kind in [every[(number * 5 + i * 7) % 30] for i in range(5)]:
            case = {"model": name, "kind": kind, "limits": list(limits.items())}
            if kind != "sequential":
                case["balanced"] = list(placing.get_balanced_memory(model, copy.deepcopy(limits), model._no_split_modules, None,
                                                                    kind == "balanced_low_0").values())
            case["map"] = placing._get_device_map(model, kind, copy.deepcopy(limits), None)
            cases.append(case)
    dense = lambda value: json.dumps(value, separators=(",", ":"))
    with open(out, "w") as f:
        f.write('{"models": {\n' + ",\n".join(f'"{k}": {dense(v)}' for k, v in models.items()))
        f.write('\n},\n"cases": [\n' + ",\n".join(map(dense, cases)) + "\n]}\n")
    print(len(cases), "cases")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "device_maps.json")
