#!/usr/bin/env python3
"""Makes tests/golden/families: for each family and each of its options a tiny model, its logits and ids, in a few kilobytes.

    python tests/golden/make_family_models.py [NAME ...]    # needs torch and transformers; a second or two a model
    python tests/golden/make_family_models.py 'qwen2*'      # NAMEs are patterns; "-" stands between family and option

A folder holds config.json, as transformers (or the hub, where the entry says so) writes it, and golden.json: logits, greedy ids, beams, and how
to make the weights. These are no file: value i of a tensor is a hash of seed, name and i (`noise` below, tests/model/seeded.h in C) times
a spread plus a mean, all in float32, so both languages make the same bits.

To add a model, add an entry to MODELS: model type, what it is there for, what differs from the sizes of LIKE_LLAMA or LIKE_GPT. The rest
follows: names and shapes from save_pretrained(), weights that are random but lively, a seed with which no greedy choice is close.
"""
import argparse
import fnmatch
import json
import shutil
import tempfile
from pathlib import Path

import numpy
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

from family_specs import MODELS
from noise import noise
from reference import Reference, VERSIONS

HERE = Path(__file__).resolve().parent
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
SHORT, NEW_IDS, BEAM_IDS = 6, 24, 10


def lively(name, initial, spec, config):
    """Spread and mean of a tensor: norms are not 1, biases not 0, attention looks somewhere, logits spread by several units."""
    leaf = name.lower()
    constant = bool((initial == initial.flatten()[0]).all()) if initial.numel() else False
    if initial.dim() == 0:
        return 0.0, float(initial)
    if "word_embeddings_layernorm" in leaf:     # as large as a tied head wants its rows: else a token follows itself
        return 0.25, 0.25 if leaf.endswith("weight") else 0.0
    if any(key in leaf for key in ("norm", ".ln_", "layernorm")) and (initial.dim() == 1 or constant):
        return 0.5, float(initial.flatten()[0]) if leaf.endswith("weight") else 0.0
    if leaf.endswith("bias"):
        return 0.4, 0.0
    if initial.dim() == 1:
        return 0.4, float(initial.mean())
    if "embed_tokens" in leaf or "wte" in leaf or "word_embeddings" in leaf or "embed_in" in leaf:
        return spec["embedding"] or (0.45 if config.get("tie_word_embeddings", spec["tied"]) else 1.2), 0.0
    if "embed_positions" in leaf or "wpe" in leaf:
        return 0.6, 0.0
    fan_in = initial.shape[-2 if spec["inputs_first"](name) else -1]
    gain = 1.6 if any(key in leaf for key in ("q_proj", "k_proj", "qkv", "query_key_value", "c_attn", "lm_head", "embed_out")) else 1.2
    return float(f"{gain * (3 / fan_in) ** 0.5:.3g}"), 0.0


def build(spec):
    """The model as transformers makes it: config.json's tree and the tensors of its file, of which only names, shapes and constants matter."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(spec["model_type"], **{"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 0} | spec["config"])
    model = AutoModelForCausalLM.from_config(config)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tree = json.loads((Path(folder) / "config.json").read_text())
        with safe_open(Path(folder) / "model.safetensors", "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    tree.pop("transformers_version", None)
    return spec["edit"](tree | {"dtype": spec["dtype"]}), tensors


def save(folder, tree, tensors, spec, seed):
    """Writes the folder that the reference reads; returns rows (name, shape, spread, mean)."""
    rows, weights = [], {}
    for name, initial in sorted(tensors.items()):
        stored = spec["rename"](name)
        spread, mean = lively(name, initial.float(), spec, tree)
        values = noise(seed, stored, initial.numel()) * numpy.float32(spread) + numpy.float32(mean)
        weights[name] = torch.from_numpy(values).reshape(initial.shape).to(DTYPES[spec["dtype"]])
        rows.append((stored, list(initial.shape), spread, mean))
    (folder / "config.json").write_text(json.dumps(tree))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return rows


def digits(values):
    return [float(f"{v:.8g}") for v in values.tolist()]


def answers(folder, spec, prompts):
    """What golden.json says of each prompt, or a text: why another seed is needed."""
    narrow, wide = (Reference(folder, precision, spec["attention"]) for precision in ("float32", "float64"))
    result = []
    for ids in prompts:
        positions = list(range(len(ids))) if len(ids) <= SHORT else [len(ids) // 2, len(ids) - 2, len(ids) - 1]
        exact = wide.logits(ids)
        error = (narrow.logits(ids) - exact).abs()
        new, lead = wide.greedy(ids, NEW_IDS)
        if not exact.isfinite().all():
            return "logits are not finite"
        if lead < max(2e-3, 200 * error.max().item()) or narrow.greedy(ids, NEW_IDS)[0] != new:
            return f"a choice is close: {lead:.1e}, with errors of {error.max().item():.1e}"
        row = {"input_ids": ids, "positions": positions, "logits": [digits(exact[p]) for p in positions],
               "float32_max_abs_error_of_torch": float(f"{error.max().item():.3g}"), "greedy_new_ids": new,
               "greedy_smallest_lead": float(f"{lead:.3g}")}
        if len(ids) <= SHORT:
            row["beams_3_new_ids"] = wide.beams(ids, BEAM_IDS)
            if narrow.beams(ids, BEAM_IDS) != row["beams_3_new_ids"]:
                return "beams differ"
        result.append(row)
    return result if any(len(set(r["greedy_new_ids"])) >= 5 for r in result) else "the same few ids again and again"


def compact(rows):
    """Rows that differ in a layer's number alone become one: "h.{i}.weight" with the layers it stands for."""
    groups = {}
    for name, *rest in rows:
        parts = name.split(".")
        at = next((i for i, part in enumerate(parts) if part.isdigit()), None)
        key = name if at is None else ".".join(parts[:at] + ["{i}"] + parts[at + 1:])
        groups.setdefault((key, json.dumps(rest)), []).append(None if at is None else int(parts[at]))
    return [[key, *json.loads(rest)] + ([] if layers == [None] else [layers]) for (key, rest), layers in groups.items()]


def readable(record):
    """JSON with one idea, one tensor or one row of logits a line: for a reader and for git."""
    lines = [f' {json.dumps(k)}: {json.dumps(v)}' for k, v in record.items() if k not in ("tensors", "prompts")]
    lines.append(' "tensors": [\n  ' + ",\n  ".join(json.dumps(t) for t in record["tensors"]) + "]")
    prompts = []
    for prompt in record["prompts"]:
        keys = [f'"{k}": ' + ("[\n   " + ",\n   ".join(json.dumps(r) for r in v) + "]" if k == "logits" else json.dumps(v)) for k, v in prompt.items()]
        prompts.append("  {" + ",\n   ".join(keys) + "}")
    return "{\n" + ",\n".join(lines) + ',\n "prompts": [\n' + ",\n".join(prompts) + "]\n}\n"


def make(name, out):
    spec = MODELS[name]
    with torch.no_grad():
        tree, tensors = build(spec)
    vocab = (tree.get("text_config") or tree)["vocab_size"]
    for seed in range(1, 60):
        random = torch.Generator().manual_seed(seed)
        prompts = [torch.randint(0, vocab, (n,), generator=random).tolist() for n in (SHORT, spec["long"])]
        with tempfile.TemporaryDirectory() as folder:
            rows = save(Path(folder), tree, tensors, spec, seed)
            result = answers(folder, spec, prompts)
        if not isinstance(result, str):
            break
    else:
        raise SystemExit(f"no seed gives clear and varied choices; the last one: {result}")
    where = out / name
    if where.exists():
        shutil.rmtree(where)
    where.mkdir(parents=True)
    (where / "config.json").write_text(json.dumps(spec["wrap"](tree), indent=1) + "\n")
    record = {"what": spec["what"], "seed": seed, **VERSIONS, "stored_dtype": spec["dtype"],
              "float32_max_abs_error_of_torch": max(r["float32_max_abs_error_of_torch"] for r in result), "tensors": compact(rows), "prompts": result}
    (where / "golden.json").write_text(readable(record))
    size = sum(f.stat().st_size for f in where.iterdir()) / 1000
    error = max(r["float32_max_abs_error_of_torch"] for r in result)
    print(f"{name:28} seed {seed:2}  torch float32 error {error:.1e}  spread {numpy.std(result[0]['logits']):.2f}  {size:.0f} kB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="models to make; all of them without")
    parser.add_argument("--out", type=Path, default=HERE / "families")
    args = parser.parse_args()
    names = [n for n in MODELS if not args.names or any(fnmatch.fnmatch(n, p) for p in args.names)]
    if not names:
        raise SystemExit(f"no model is called {' or '.join(args.names)}; see MODELS")
    failed = []
    for name in names:
        try:
            make(name, args.out)
        except (SystemExit, Exception) as error:
            failed.append(name)
            print(f"{name}: {type(error).__name__}: {error}", flush=True)
    if failed:
        raise SystemExit(f"not made: {' '.join(failed)}")


if __name__ == "__main__":
    main()
