#!/usr/bin/env python3
"""Makes tests/golden/gguf/<family>.gguf: the tiny models of tests/golden/families (weights from a seed, golden.json) as GGUF files in float32, with
gguf's own writer and its own table of names, and with what convert_hf_to_gguf.py does to weights. The logits are those of the family's golden.json.

usage: make_gguf_models.py [FAMILY...]        needs: gguf 0.19, numpy
"""
import json
import sys
from pathlib import Path

import gguf
import numpy

from noise import noise

HERE = Path(__file__).resolve().parent


def tensors_of(golden):
    for name, shape, spread, mean, *layers in golden["tensors"]:
        for layer in layers[0] if layers else [None]:
            full = name if layer is None else name.replace("{i}", str(layer))
            values = noise(golden["seed"], full, int(numpy.prod(shape, dtype=int))) * numpy.float32(spread) + numpy.float32(mean)
            yield full, values.astype(numpy.float32).reshape(shape)


# ---- What conversion does to weights, name by name

def number(config, *names, default=None):
    for name in names:
        if config.get(name) is not None:
            return config[name]
    return default


def turn_heads(name, values, config):
    """The two halves of each head of queries and keys come to lie side by side."""
    heads = config["num_attention_heads"] if ".q_proj" in name else config.get("num_key_value_heads") or config["num_attention_heads"]
    if ".q_proj" in name or ".k_proj" in name:
        return values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    return values


def whole_norms(name, values, config):
    return values + numpy.float32(1) if name.endswith("norm.weight") else values


def whole_layer_norms(name, values, config):
    return values + numpy.float32(1) if name.endswith(("norm.weight", "layernorm.weight")) else values


def outputs_first(name, values, config):
    return values.T if name.endswith((".c_attn.weight", ".c_proj.weight", ".c_fc.weight")) else values


def heads_apart(name, values, config):
    """[heads][q, k, v] -> all q, all k, all v."""
    if "query_key_value" not in name:
        return values
    heads = number(config, "n_head", "num_attention_heads")
    return values.reshape(heads, 3, -1, *values.shape[1:]).swapaxes(0, 1).reshape(values.shape)


def groups_apart(name, values, config):
    """Falcon: [kv heads][their queries, key, value] -> all q, all k, all v."""
    if "query_key_value" not in name:
        return values
    heads = config["num_attention_heads"]
    kv = config["num_kv_heads"] if config.get("new_decoder_architecture") else 1 if config.get("multi_query", True) else heads
    dim = config["hidden_size"] // heads
    blocks = values.reshape(kv, heads // kv + 2, dim, *values.shape[1:])
    parts = blocks[:, :-2].reshape(-1, *values.shape[1:]), blocks[:, -2].reshape(-1, *values.shape[1:]), blocks[:, -1].reshape(-1, *values.shape[1:])
    return numpy.concatenate(parts)


def squeezed(name, values, config):
    return values.squeeze(1) if ".conv.conv." in name else values


def inputs_last(name, values, config):
    """gpt-oss: experts [inputs][outputs] -> [outputs][inputs]."""
    return values.swapaxes(1, 2) if name.endswith(("experts.gate_up_proj", "experts.down_proj")) else values


def same(name, values, config):
    return values


# family: architecture, what happens to weights
FAMILIES = {
    "llama": ("llama", turn_heads), "mistral": ("llama", turn_heads), "mixtral": ("llama", turn_heads), "qwen2": ("qwen2", same), "qwen3": ("qwen3", same),
    "qwen2_moe": ("qwen2moe", same), "qwen3_moe": ("qwen3moe", same), "gemma": ("gemma", whole_norms), "gemma2": ("gemma2", whole_norms),
    "gemma3": ("gemma3", whole_norms), "phi": ("phi2", same), "phi3": ("phi3", same), "phi3-longrope": ("phi3", same), "gpt2": ("gpt2", outputs_first),
    "gpt_neox": ("gptneox", heads_apart), "falcon": ("falcon", groups_apart), "falcon-new": ("falcon", groups_apart), "bloom": ("bloom", heads_apart),
    "stablelm": ("stablelm", same), "stablelm-parallel": ("stablelm", same), "starcoder2-bare": ("starcoder2", same), "olmo": ("olmo", turn_heads),
    "gpt_bigcode": ("starcoder", same), "olmo2": ("olmo2", same), "olmo3": ("olmo2", same), "olmoe": ("olmoe", same), "granite": ("granite", turn_heads),
    "granitemoe": ("granitemoe", turn_heads), "cohere": ("command-r", same), "cohere2": ("cohere2", same), "smollm3": ("smollm3", turn_heads),
    "lfm2": ("lfm2", squeezed), "glm4": ("glm4", same), "exaone4": ("exaone4", same), "nemotron": ("nemotron", whole_layer_norms),
    "arcee": ("arcee", turn_heads), "seed_oss": ("seed_oss", same), "deepseek_v2": ("deepseek2", same), "deepseek_v3": ("deepseek2", same),
    "gpt_oss": ("gpt-oss", inputs_last), "glm4_moe-bias": ("glm4moe", same), "minimax_m2": ("minimax-m2", same),
}


def renamed(tensors, architecture, layers, config):
    """gguf's name of each; experts stacked, and what it lacks names for."""
    names = gguf.get_tensor_name_map(next(a for a, n in gguf.MODEL_ARCH_NAMES.items() if n == architecture), layers)
    stacks = {}
    for name, values in tensors:
        parts = name.split(".")
        expert = next((i for i, p in enumerate(parts) if p == "experts" and i + 1 < len(parts) and parts[i + 1].isdigit()), None)
        norms = next((i for i, p in enumerate(parts) if p == "norms"), None)
        if expert is not None:      # [expert] of one tensor
            stacks.setdefault(".".join(parts[:expert + 1] + parts[expert + 2:]), {})[int(parts[expert + 1])] = values
        elif norms is not None:     # StableLM's norms of heads
            stacks.setdefault(".".join(parts[:norms] + parts[norms + 2:]), {})[int(parts[norms + 1])] = values
        elif architecture == "gpt-oss" and ".experts." in name:
            where, kind = f"blk.{parts[parts.index('layers') + 1]}.ffn", "bias" if name.endswith("_bias") else "weight"
            if "gate_up" in name:   # they alternate
                yield f"{where}_gate_exps.{kind}", values[:, 0::2]
                yield f"{where}_up_exps.{kind}", values[:, 1::2]
            else:
                yield f"{where}_down_exps.{kind}", values
        elif name.endswith(("experts.gate_up_proj", "input_linear.weight")):
            half = values.shape[1] // 2
            layer = parts[parts.index("layers") + 1]
            yield f"blk.{layer}.ffn_gate_exps.weight", values[:, :half]
            yield f"blk.{layer}.ffn_up_exps.weight", values[:, half:]
        elif name.endswith(("experts.down_proj", "output_linear.weight")):
            yield f"blk.{parts[parts.index('layers') + 1]}.ffn_down_exps.weight", values
        else:
            yield gguf_name(names, name, parts), values
    for name, by_index in stacks.items():
        yield gguf_name(names, name, name.split(".")), numpy.stack([by_index[i] for i in range(len(by_index))])


def gguf_name(names, name, parts):
    if name.endswith("e_score_correction_bias"):
        return f"blk.{parts[2]}.exp_probs_b.bias"
    if name.endswith(".sinks"):
        return names.get_name(name) + ".weight"
    found = names.get_name(name, try_suffixes=(".weight", ".bias")) or names.get_name(name.removeprefix("transformer."), try_suffixes=(".weight", ".bias"))
    if found is None:
        raise SystemExit(f"gguf has no name for {name}")
    return found


def write_metadata(out, config, architecture):
    c = config
    rope = c.get("rope_parameters") or c.get("rope_scaling") or {}
    rope = rope.get("full_attention", rope)
    heads, hidden = number(c, "num_attention_heads", "n_head"), number(c, "hidden_size", "n_embd")
    layers = number(c, "num_hidden_layers", "n_layer")
    head_dim = c.get("head_dim") or hidden // heads
    kv = number(c, "num_key_value_heads", "num_kv_heads", default=heads)
    if architecture == "falcon" and not c.get("new_decoder_architecture"):
        kv = 1 if c.get("multi_query", True) else heads
    if architecture == "starcoder":
        kv = 1
    out.add_context_length(number(c, "max_position_embeddings", "n_positions", "seq_length", default=2048))
    out.add_embedding_length(hidden)
    out.add_block_count(layers)
    out.add_feed_forward_length(number(c, "intermediate_size", "n_inner", "ffn_hidden_size", default=4 * hidden))
    out.add_head_count(heads)
    if architecture == "lfm2":
        out.add_head_count_kv([kv if kind == "full_attention" else 0 for kind in c["layer_types"]])
        out.add_shortconv_l_cache(c["conv_L_cache"])
    else:
        out.add_head_count_kv(kv)
    if "rms_norm_eps" in c or "norm_eps" in c and architecture == "lfm2":
        out.add_layer_norm_rms_eps(number(c, "rms_norm_eps", "norm_eps"))
    else:
        out.add_layer_norm_eps(number(c, "layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps", default=1e-5))
    partial = number(rope | c, "partial_rotary_factor", "rotary_pct", default=1.0)
    if architecture == "deepseek2":
        out.add_key_length(c["qk_nope_head_dim"] + c["qk_rope_head_dim"])
        out.add_value_length(c["v_head_dim"])
        out.add_rope_dimension_count(c["qk_rope_head_dim"])
        out.add_kv_lora_rank(c["kv_lora_rank"])
        if c.get("q_lora_rank"):
            out.add_q_lora_rank(c["q_lora_rank"])
        out.add_expert_weights_scale(c["routed_scaling_factor"])
        out.add_expert_shared_count(c["n_shared_experts"])
        out.add_leading_dense_block_count(c["first_k_dense_replace"])
        if c["model_type"] == "deepseek_v3":
            out.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
            out.add_expert_weights_norm(c["norm_topk_prob"])
        if c.get("n_group"):
            out.add_expert_group_count(c["n_group"])
            out.add_expert_group_used_count(c["topk_group"])
    elif rope or "rope_theta" in c:
        out.add_rope_dimension_count(c.get("rotary_dim") or int(head_dim * partial))
        if head_dim != hidden // heads:
            out.add_key_length(head_dim)
    theta = number(rope | c, "rope_theta")
    if theta is not None:
        out.add_rope_freq_base(theta)
    if rope.get("rope_type") in ("linear", "yarn"):
        out.add_rope_scaling_type(gguf.RopeScalingType(rope["rope_type"]))
        out.add_rope_scaling_factor(rope["factor"])
        if rope["rope_type"] == "yarn":
            out.add_rope_scaling_orig_ctx_len(number(rope, "original_max_position_embeddings", default=c["max_position_embeddings"]))
    if "longrope" in (rope.get("rope_type"), rope.get("type")):
        out.add_rope_scaling_orig_ctx_len(number(c | rope, "original_max_position_embeddings"))
        for length in ("short", "long"):
            out.add_tensor(f"rope_factors_{length}.weight", numpy.array(rope[f"{length}_factor"], numpy.float32))
    experts = number(c, "num_experts", "num_local_experts", "n_routed_experts")
    if experts:
        out.add_expert_count(experts)
        out.add_expert_used_count(c["num_experts_per_tok"])
        if architecture in ("gpt-oss", "minimax-m2"):
            out.add_expert_feed_forward_length(c["intermediate_size"])
        if architecture == "glm4moe":
            out.add_expert_weights_scale(c["routed_scaling_factor"])
            out.add_expert_weights_norm(c["norm_topk_prob"])
            out.add_expert_shared_count(c["n_shared_experts"])
            out.add_leading_dense_block_count(c["first_k_dense_replace"])
            out.add_expert_group_count(c["n_group"])
            out.add_expert_group_used_count(c["topk_group"])
        if architecture in ("glm4moe", "minimax-m2"):
            out.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
        if "moe_intermediate_size" in c:
            out.add_expert_feed_forward_length(c["moe_intermediate_size"])
        if "shared_expert_intermediate_size" in c:
            out.add_expert_shared_feed_forward_length(c["shared_expert_intermediate_size"])
    windowed = architecture in ("gemma2", "gemma3", "cohere2", "exaone4", "gpt-oss") or c["model_type"] in ("olmo3", "mistral")
    if windowed and c.get("sliding_window"):
        out.add_sliding_window(c["sliding_window"])
        if "layer_types" in c and architecture not in ("gemma2", "gpt-oss"):
            out.add_sliding_window_pattern([kind == "sliding_attention" for kind in c["layer_types"]])
    if c.get("final_logit_softcapping"):
        out.add_final_logit_softcapping(c["final_logit_softcapping"])
    if c.get("attn_logit_softcapping"):
        out.add_attn_logit_softcapping(c["attn_logit_softcapping"])
    if "query_pre_attn_scalar" in c:
        out.add_attention_scale(c["query_pre_attn_scalar"] ** -0.5)
    if architecture.startswith("granite"):
        out.add_attention_scale(c["attention_multiplier"])
        out.add_embedding_scale(c["embedding_multiplier"])
        out.add_residual_scale(c["residual_multiplier"])
        out.add_logit_scale(c["logits_scaling"])
    elif "logit_scale" in c:
        out.add_logit_scale(c["logit_scale"])
    if c.get("clip_qkv"):
        out.add_clamp_kqv(c["clip_qkv"])
    if "use_parallel_residual" in c and architecture == "gptneox":
        out.add_parallel_residual(c["use_parallel_residual"])
    out.add_eos_token_id(1)
    out.add_bos_token_id(0)
    return layers


def make(family):
    architecture, convert = FAMILIES[family]
    config = json.loads((HERE / "families" / family / "config.json").read_text())
    golden = json.loads((HERE / "families" / family / "golden.json").read_text())
    path = HERE / "gguf" / f"{family}.gguf"
    path.parent.mkdir(exist_ok=True)
    out = gguf.GGUFWriter(path, architecture)
    layers = write_metadata(out, config, architecture)
    changed = ((name, numpy.ascontiguousarray(convert(name, values, config))) for name, values in tensors_of(golden))
    for name, values in renamed(changed, architecture, layers, config):
        out.add_tensor(name, numpy.ascontiguousarray(values))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()
    print(f"{family:16} {architecture:12} {path.stat().st_size / 1e3:6.0f} kB", flush=True)


if __name__ == "__main__":
    for chosen in sys.argv[1:] or FAMILIES:
        make(chosen)
