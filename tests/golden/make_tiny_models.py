#!/usr/bin/env python3
"""Makes tests/golden/tiny: small random GPT-2 and Llama models, and for each the logits and greedy ids that are right for it.

    python tests/golden/make_tiny_models.py [NAME ...]      # needs torch and transformers; about two minutes for all

Every model turns one or two screws: head counts, biases, tied heads, each kind of RoPE in the old and the new spelling of
config.json, storage types, shards. Sizes are small and mostly odd, so that nothing fits a vector width by luck. Weights are
random but lively: norms and biases are not 1 and 0, queries and keys are large enough for attention to look somewhere, and
the logits spread by several units. The long prompts go beyond what scaled RoPE was "trained" for.

golden.json: what each number means is in README.md; how the float64 reference is made, in reference.py.
"""
import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from reference import VERSIONS, answers, readable

HERE = Path(__file__).resolve().parent
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def gpt2(what, *, dtype="float32", prefix=True, mask_buffers=False, long=80, **config):
    config = dict(n_embd=30, n_layer=2, n_head=3, n_positions=130, vocab_size=101) | config
    return dict(what=what, make=GPT2LMHeadModel, config=GPT2Config(bos_token_id=0, eos_token_id=1, **config), dtype=dtype, prefix=prefix,
                mask_buffers=mask_buffers, long=long, limit=config["n_positions"], edit=lambda c: c, shards=1)


def llama(what, *, dtype="float32", shards=1, long=100, limit=160, edit=lambda c: c, rope=None, eos=1, **config):
    config = dict(hidden_size=36, intermediate_size=44, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1, head_dim=16,
                  max_position_embeddings=160, vocab_size=101) | config
    rope = {"rope_type": "default", "rope_theta": 10000.0} | (rope or {})
    return dict(what=what, make=LlamaForCausalLM, config=LlamaConfig(bos_token_id=0, eos_token_id=eos, rope_parameters=rope, **config), dtype=dtype,
                prefix=True, mask_buffers=False, long=long, limit=limit, edit=edit, shards=shards)


def old_spelling(config, type_key="rope_type"):
    """config.json as transformers 4 wrote it: rope_theta beside rope_scaling, torch_dtype."""
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    kind = rope.pop("rope_type")
    config["rope_scaling"] = None if kind == "default" else {type_key: kind, **rope}
    config["torch_dtype"] = config.pop("dtype")
    return config


def oldest_spelling(config):
    """The first form of rope_scaling: "type", not "rope_type"."""
    return old_spelling(config, "type")


def only_what_differs(config):
    """Hub files leave out what equals a default."""
    keep = ("architectures", "model_type", "bos_token_id", "eos_token_id", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "max_position_embeddings", "vocab_size", "tie_word_embeddings")
    return {key: value for key, value in config.items() if key in keep}


MODELS = {
    "gpt2": gpt2("plain: tied head, gelu_new", n_embd=28, n_layer=3, n_head=2, vocab_size=111),
    "gpt2-untied": gpt2("untied head, n_inner, exact gelu, attention scaled by layer", n_inner=57, n_head=5, vocab_size=97, activation_function="gelu",
                        tie_word_embeddings=False, scale_attn_by_inverse_layer_idx=True),
    "gpt2-base": gpt2("file of the base model: names without \"transformer.\", with the causal masks that old files carry; relu, another epsilon",
                      n_embd=26, n_head=2, n_positions=64, vocab_size=103, activation_function="relu", layer_norm_epsilon=1e-3, prefix=False,
                      mask_buffers=True, long=40),
    "gpt2-float16": gpt2("stored in float16; attention not scaled, gelu_pytorch_tanh", dtype="float16", n_embd=40, n_head=4, scale_attn_weights=False,
                         activation_function="gelu_pytorch_tanh"),
    "llama": llama("plain: as many key heads as query heads, head_dim = hidden / heads", hidden_size=40, num_attention_heads=4, num_key_value_heads=4,
                   head_dim=None),
    "llama-gqa": llama("grouped queries, head_dim 12 with 6 heads of a hidden size of 30; old spelling, theta 500000, three layers", hidden_size=30,
                       intermediate_size=41, num_attention_heads=6, num_key_value_heads=2, head_dim=12, num_hidden_layers=3, vocab_size=97,
                       rms_norm_eps=1e-5, rope={"rope_theta": 500000.0}, edit=old_spelling),
    "llama-bias": llama("attention_bias and mlp_bias, gelu in the MLP, one key head for five query heads", attention_bias=True, mlp_bias=True, hidden_size=35,
                        num_attention_heads=5, num_key_value_heads=1, head_dim=10, hidden_act="gelu", vocab_size=99),
    "llama-tied": llama("tied head, two end-of-sequence ids, a config.json that leaves out every default", hidden_size=36, num_attention_heads=3,
                        num_key_value_heads=3, head_dim=None, tie_word_embeddings=True, eos=[1, 7], edit=only_what_differs),
    "llama-linear-old": llama("linear RoPE, \"type\" in rope_scaling", rope={"rope_type": "linear", "factor": 3.0}, edit=oldest_spelling),
    "llama-linear": llama("linear RoPE, rope_parameters", rope={"rope_type": "linear", "factor": 2.5, "rope_theta": 2000.0}),
    "llama-dynamic-old": llama("dynamic RoPE beyond max_position_embeddings 32, \"type\" in rope_scaling", rope={"rope_type": "dynamic", "factor": 4.0},
                               max_position_embeddings=32, long=70, limit=128, edit=oldest_spelling),
    "llama-dynamic": llama("dynamic RoPE beyond max_position_embeddings 24, rope_parameters", rope={"rope_type": "dynamic", "factor": 6.0},
                           max_position_embeddings=24, long=90, limit=144),
    "llama-llama3-old": llama("llama3 RoPE as in Llama 3.1 files", hidden_size=40, num_attention_heads=2, head_dim=24, max_position_embeddings=256,
                              rope={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "rope_theta": 5000.0,
                                    "original_max_position_embeddings": 32}, limit=256, edit=old_spelling),
    "llama-llama3": llama("llama3 RoPE, rope_parameters", max_position_embeddings=512, limit=512,
                          rope={"rope_type": "llama3", "factor": 16.0, "low_freq_factor": 0.5, "high_freq_factor": 6.0, "rope_theta": 300.0,
                                "original_max_position_embeddings": 24}),
    "llama-yarn-old": llama("yarn RoPE, all defaults: beta 32 and 1, truncated, attention factor from the factor; \"type\" in rope_scaling",
                            rope={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 40}, edit=oldest_spelling),
    "llama-yarn": llama("yarn RoPE: attention_factor, beta_fast and beta_slow given, not truncated; rope_parameters", hidden_size=40, num_attention_heads=2,
                        head_dim=24, rope={"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 20, "attention_factor": 1.3,
                                           "beta_fast": 3.0, "beta_slow": 0.25, "truncate": False, "rope_theta": 1000.0}),
    "llama-yarn-mscale": llama("yarn RoPE: attention factor from mscale and mscale_all_dim",
                               rope={"rope_type": "yarn", "factor": 5.0, "original_max_position_embeddings": 32, "mscale": 1.0, "mscale_all_dim": 0.6}),
    "llama-bfloat16": llama("stored in bfloat16; grouped queries, head_dim 20", dtype="bfloat16", hidden_size=44, num_attention_heads=4,
                            num_key_value_heads=2, head_dim=20, intermediate_size=70),
    "llama-sharded": llama("three files and model.safetensors.index.json", shards=3, num_attention_heads=4, num_key_value_heads=2, head_dim=8),
}


def lively(model, seed):
    """Random weights with a realistic spread, in float32."""
    random = torch.Generator().manual_seed(seed)
    normal = lambda shape, std: torch.randn(shape, generator=random) * std
    for name, weight in sorted(model.state_dict().items()):
        if "norm" in name or ".ln_" in name:
            value = normal(weight.shape, 0.3) + (1.0 if name.endswith("weight") else 0.0)
        elif name.endswith("bias") or weight.dim() == 1:
            value = normal(weight.shape, 0.3)
        elif "wte" in name or "embed_tokens" in name:
            value = normal(weight.shape, 0.25 if model.config.tie_word_embeddings else 0.7)     # tied and larger, a token would follow itself
        elif "wpe" in name:
            value = normal(weight.shape, 0.35)
        else:
            fan_in = weight.shape[0] if ".c_" in name else weight.shape[1]      # Conv1D is [in, out]
            gain = 1.6 if any(key in name for key in ("q_proj", "k_proj", "c_attn", "lm_head")) else 1.2
            value = normal(weight.shape, gain / fan_in ** 0.5)
        weight.copy_(value)


def save(folder, spec, seed):
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    model = spec["make"](spec["config"])
    lively(model, seed)
    model.config.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"architectures": [spec["make"].__name__], "dtype": spec["dtype"]}
    (folder / "config.json").write_text(json.dumps(spec["edit"](config), indent=1) + "\n")
    if isinstance(spec["config"].eos_token_id, list):
        (folder / "generation_config.json").write_text(json.dumps({"bos_token_id": 0, "eos_token_id": spec["config"].eos_token_id}, indent=1) + "\n")

    tensors = {name: weight.to(DTYPES[spec["dtype"]]).contiguous() for name, weight in model.state_dict().items()}
    if spec["config"].tie_word_embeddings:
        del tensors["lm_head.weight"]
    if not spec["prefix"]:
        tensors = {name.removeprefix("transformer."): weight for name, weight in tensors.items()}
    if spec["mask_buffers"]:
        n = spec["config"].n_positions
        for layer in range(spec["config"].n_layer):
            tensors[f"h.{layer}.attn.bias"] = torch.ones(n, n).tril()[None, None].contiguous()
    names, shards = sorted(tensors), spec["shards"]
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    where = {}
    for i in range(shards):
        part = names[i * len(names) // shards:(i + 1) * len(names) // shards]
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file, metadata={"format": "pt"})
        where |= {name: file for name in part}
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": where}, indent=1) + "\n")


def golden(folder, spec, seed):
    vocab = spec["config"].vocab_size
    random = torch.Generator().manual_seed(seed)
    lengths = (1, 7, spec["long"])
    prompts = [torch.randint(0, vocab, (n,), generator=random).tolist() for n in lengths]
    counts = [48 if n + 48 <= spec["limit"] else 24 for n in lengths]
    return answers(folder, prompts, counts, lambda n: list(range(n)) if n <= 7 else [n // 2, n - 2, n - 1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="models to make; all of them without")
    parser.add_argument("--out", type=Path, default=HERE / "tiny")
    args = parser.parse_args()
    for name in args.names or MODELS:
        spec, folder = MODELS[name], args.out / name
        for seed in range(1, 200):      # a seed with which no greedy choice is a near tie, and not all are the same
            with torch.no_grad():
                save(folder, spec, seed)
            prompts = golden(folder, spec, seed)
            agree = [p.pop("greedy_new_ids_agree_in_float32") for p in prompts]
            if (all(agree) and all(p["greedy_smallest_lead"] > 0.005 for p in prompts)
                    and sum(len(set(p["greedy_new_ids"])) >= 8 for p in prompts) >= 2):
                break
        else:
            raise SystemExit(f"{name}: no seed gives clear and varied greedy choices")
        record = {"what": spec["what"], "seed": seed, **VERSIONS, "stored_dtype": spec["dtype"],
                  "float32_max_abs_error_of_torch": max(p["float32_max_abs_error_of_torch"] for p in prompts), "prompts": prompts}
        (folder / "golden.json").write_text(readable(record))
        spread = torch.tensor(prompts[-1]["logits"]).std().item()
        variety = [len(set(p["greedy_new_ids"])) for p in prompts]
        size = sum(f.stat().st_size for f in folder.iterdir()) / 1000
        print(f"{name:18} seed {seed:2}  logits spread {spread:5.2f}  torch float32 error {record['float32_max_abs_error_of_torch']:.1e}  "
              f"distinct greedy ids {variety}  {size:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
