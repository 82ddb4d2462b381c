#!/usr/bin/env python3
"""Makes tests/golden/prequantized-models: tiny models as repositories keep them quantised, and the logits and greedy ids that are right for the
numbers that their codes stand for.

    python tests/golden/make_prequantized_models.py [NAME ...]      # needs also bitsandbytes, accelerate; a minute for all

Those of bitsandbytes are quantised and saved by transformers; the weights of the others are random codes of make_prequantized.py, of several kinds
in one model where a method allows it, as q, k and v or gate and up then lie side by side in one matrix of oclm. golden.json is that of tiny/: a
float64 forward pass over the dequantised weights.
"""
import argparse
import json
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, GPT2Config, GPT2LMHeadModel, GptOssConfig, GptOssForCausalLM, LlamaConfig, LlamaForCausalLM

import make_prequantized as codes
from make_tiny_models import lively
from reference import VERSIONS, answers, readable

HERE = Path(__file__).resolve().parent
VOCAB = 61


def llama(**config):
    return LlamaForCausalLM(LlamaConfig(**dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                                               head_dim=16, max_position_embeddings=128, vocab_size=VOCAB, bos_token_id=0, eos_token_id=1) | config))


def gpt2():
    return GPT2LMHeadModel(GPT2Config(n_embd=64, n_layer=2, n_head=4, n_positions=128, vocab_size=VOCAB, bos_token_id=0, eos_token_id=1))


def gpt_oss():
    return GptOssForCausalLM(GptOssConfig(hidden_size=64, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
                                          num_local_experts=4, num_experts_per_tok=2, vocab_size=VOCAB, max_position_embeddings=128, sliding_window=8,
                                          bos_token_id=0, eos_token_id=1, pad_token_id=0,
                                          rope_parameters=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=16, rope_theta=10000.0, truncate=False)))


def by_bitsandbytes(make, **options):
    """Saved by transformers; returns the plain state."""
    def build(folder, seed):
        import bitsandbytes as bnb
        with tempfile.TemporaryDirectory() as plain:
            model = make()
            lively(model, seed)
            model.save_pretrained(plain)
            model = AutoModelForCausalLM.from_pretrained(plain, dtype=torch.float32, device_map="cpu", quantization_config=BitsAndBytesConfig(**options))
        model.save_pretrained(folder)
        state = {name: value.float() for name, value in make().state_dict().items()}
        saved = load_file(folder / "model.safetensors")
        state.update({name: saved[name] for name in state if name in saved and saved[name].is_floating_point()})
        for name, module in model.named_modules():
            if isinstance(module, bnb.nn.Linear4bit):
                value = bnb.functional.dequantize_4bit(module.weight.data, module.weight.quant_state).float()
            elif isinstance(module, bnb.nn.Linear8bitLt):
                value = saved[name + ".weight"].float() * (saved[name + ".SCB"] / 127)[:, None]
            else:
                continue
            old = state[name + ".weight"]
            state[name + ".weight"] = value.T.contiguous() if ".c_" in name else value
            assert state[name + ".weight"].shape == old.shape
        for name in list(state):
            if name == "lm_head.weight" and name not in saved:
                state[name] = state["transformer.wte.weight"]
        return state
    return make, build


def by_codes(make, config, choose):
    """`choose` gives for a weight's name and shape what make_prequantized makes it of, or None."""
    def build(folder, seed):
        model = make()
        lively(model, seed)
        state, tensors = {name: value.clone() for name, value in model.state_dict().items()}, {}
        g = torch.Generator().manual_seed(seed)
        for name, value in state.items():
            made = choose(name, tuple(value.shape))
            if made is None:
                tensors[name] = value.clone()
                continue
            own, expected = made(g)
            (weight,) = expected.values()
            stem, prefix = name.removesuffix(".weight"), next(iter(expected)).removesuffix(".weight")
            factor = 2.0 ** round(float(torch.log2(1.2 / weight.shape[-1] ** 0.5 / weight.std())))       # scales take it without rounding
            for key, tensor in own.items():
                if key.endswith(("scales", "scale", "scale_inv")) and tensor.is_floating_point():
                    tensor = tensor * factor
                elif key.endswith("_scales"):
                    tensor = (tensor.int() + round(float(torch.log2(torch.tensor(factor))))).to(torch.uint8)
                if not key.endswith("_bias"):
                    tensors[key.replace(prefix, stem)] = tensor.contiguous()
            state[name] = (weight * factor).transpose(1, 2).contiguous() if weight.dim() == 3 else weight * factor
            assert state[name].shape == value.shape, name
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        tree = json.loads(model.config.to_json_string(use_diff=False))
        tree |= {"architectures": [type(model).__name__], "dtype": "float32", "quantization_config": config}
        (folder / "config.json").write_text(json.dumps(tree, indent=1) + "\n")
        return state
    return make, build


def is_linear(name, shape):
    return len(shape) == 2 and ".layers." in name and ("proj" in name)


def pick_gptq(name, shape):
    if not is_linear(name, shape):
        return None
    bits, options = 4, dict(sym=True)
    if "k_proj" in name:
        options = {}
    elif "up_proj" in name:
        options = dict(order=True)
    elif "down_proj" in name:
        options = dict(sym=True) if ".0." in name else dict(order=True, sym=True)
    elif "o_proj" in name:
        bits = 8
    return codes.gptq(*shape, bits, 32, **options)[1]


def pick_gptq_order(name, shape):
    """As act-order makes them: weights with the same inputs have the same order of groups, at 4 bits but for one of 3 beside them."""
    if not is_linear(name, shape):
        return None
    layer = int(name.split(".layers.")[1].split(".")[0])
    place = next(i for i, names in enumerate([("q_", "k_", "v_"), ("o_",), ("gate_", "up_"), ("down_",)]) if any("." + n in name for n in names))
    return codes.gptq(*shape, 3 if "v_proj" in name else 4, 32, sym="q_proj" not in name, order=1 + 4 * layer + place)[1]


def pick_compressed(name, shape):
    if not is_linear(name, shape):
        return None
    return codes.compressed(*shape, group=32, symmetric="gate" in name or "q_proj" in name)[1]


def mxfp4(name, shape):
    if not name.endswith(("gate_up_proj", "down_proj")):
        return None
    experts, columns, rows = shape

    def make(g):
        from transformers.integrations.mxfp4 import convert_moe_packed_tensors
        blocks = torch.randint(0, 256, (experts, rows, columns // 32, 16), generator=g, dtype=torch.uint8)
        scales = torch.randint(120, 124, (experts, rows, columns // 32), generator=g, dtype=torch.uint8)
        return ({"x_blocks": blocks, "x_scales": scales}, {"x": convert_moe_packed_tensors(blocks, scales, dtype=torch.float32).transpose(1, 2).contiguous()})
    return make


COMPRESSED = codes.compressed(16, 128, group=32)[0]
COMPRESSED["config_groups"]["group_1"] = {"targets": ["re:.*[kvo]_proj"], "weights": {"num_bits": 4, "type": "int", "symmetric": False, "strategy": "group",
                                                                                     "group_size": 32}}
MODELS = {
    "llama-nf4": by_bitsandbytes(llama, load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True),
    "llama-fp4-40": by_bitsandbytes(lambda: llama(hidden_size=40, intermediate_size=88), load_in_4bit=True, bnb_4bit_quant_type="fp4"),
    "gpt2-nf4": by_bitsandbytes(gpt2, load_in_4bit=True, bnb_4bit_quant_type="nf4"),
    "llama-int8": by_bitsandbytes(llama, load_in_8bit=True),
    "llama-gptq": by_codes(llama, codes.gptq(16, 128, 4, 32)[0] | {"dynamic": {"+:.*o_proj": {"bits": 8}}}, pick_gptq),
    "llama-gptq-order": by_codes(llama, codes.gptq(16, 128, 4, 32, order=1)[0] | {"desc_act": True, "dynamic": {"+:.*v_proj": {"bits": 3}}},
                                 pick_gptq_order),
    "llama-awq": by_codes(llama, codes.AWQ | {"group_size": 32}, lambda name, shape: codes.awq(*shape, 32) if is_linear(name, shape) else None),
    "llama-compressed": by_codes(llama, COMPRESSED, pick_compressed),
    "llama-fp8": by_codes(llama, codes.fp8((32, 32), [32, 32])[0],
                          lambda name, shape: codes.fp8(shape, [32, 32])[1] if is_linear(name, shape) else None),
    "gpt_oss-mxfp4": by_codes(gpt_oss, {"quant_method": "mxfp4"}, mxfp4),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="models to make; all of them without")
    parser.add_argument("--out", type=Path, default=HERE / "prequantized-models")
    args = parser.parse_args()
    for name in args.names or MODELS:
        (make, build), folder = MODELS[name], args.out / name
        for seed in range(1, 100):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            with torch.no_grad(), tempfile.TemporaryDirectory() as plain:
                state = build(folder, seed)
                model = make()
                model.load_state_dict(state)
                model.save_pretrained(plain)
                random = torch.Generator().manual_seed(seed)
                prompts = [torch.randint(0, VOCAB, (n,), generator=random).tolist() for n in (1, 7, 40)]
                prompts = answers(plain, prompts, [16, 16, 16], lambda n: list(range(n)) if n <= 7 else [n // 2, n - 2, n - 1])
            if all([p.pop("greedy_new_ids_agree_in_float32") for p in prompts]) and all(p["greedy_smallest_lead"] > 0.005 for p in prompts):
                break
        else:
            raise SystemExit(f"{name}: no seed gives clear greedy choices")
        (folder / "generation_config.json").unlink(missing_ok=True)
        record = {"what": name, "seed": seed, **VERSIONS, "stored_dtype": "float32",
                  "float32_max_abs_error_of_torch": max(p["float32_max_abs_error_of_torch"] for p in prompts), "prompts": prompts}
        (folder / "golden.json").write_text(readable(record))
        spread = torch.tensor(prompts[-1]["logits"]).std().item()
        size = sum(f.stat().st_size for f in folder.iterdir()) / 1000
        print(f"{name:18} seed {seed:2}  logits spread {spread:5.2f}  torch float32 error {record['float32_max_abs_error_of_torch']:.1e}  {size:.0f} kB", flush=True)


if __name__ == "__main__":
    main()
