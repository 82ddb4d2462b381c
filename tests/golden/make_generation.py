#!/usr/bin/env python3
"""Makes generation.json: whole generations by transformers' generate(), without sampling: each processor alone, many together, batches, beams.

    python tests/golden/make_generation.py      # needs torch and transformers; some minutes
    python tests/golden/make_generation.py --smollm2 FOLDER     # smollm2/generation.json, from the float32 folder of SmolLM2-135M-Instruct

A case is a model, prompts and a `generation_config` that the test hands over as a file, as a model's own generation_config.json would come.
The reference is float64. Near ties are told by noise: a case counts only if its ids stay the same with noise on the logits that is ten
times larger than float32's error; else the prompt is exchanged for the next of the seed.
"""
import argparse
import json
import random
from pathlib import Path

import torch

from reference import VERSIONS, Reference, everything_in_float64

HERE = Path(__file__).resolve().parent
SEED = 20261126
NEW = 24
NOISE = 3, 1e-3         # runs, and the size of what is added to logits
PROCESSORS = {          # each alone; ids are below the least vocabulary of the tiny models
    "repetition_penalty": {"repetition_penalty": 1.3},
    "repetition_penalty-below-one": {"repetition_penalty": 0.8},
    "no_repeat_ngram_size-1": {"no_repeat_ngram_size": 1},
    "no_repeat_ngram_size-2": {"no_repeat_ngram_size": 2},
    "no_repeat_ngram_size-3": {"no_repeat_ngram_size": 3},
    "encoder_repetition_penalty": {"encoder_repetition_penalty": 1.5},
    "encoder_no_repeat_ngram_size": {"encoder_no_repeat_ngram_size": 2},
    "sequence_bias": {"sequence_bias": [[[5], 1.5], [[7], -4.0], [[11, 12], 6.0], [[3, 4, 5], -2.0]]},
    "bad_words_ids": {"bad_words_ids": [[b] for b in range(0, 60, 3)] + [[8, 9], [10, 11, 13]]},
    "min_length": {"min_length": 20, "eos_token_id": list(range(0, 96, 8)), "max_length": 40},
    "min_new_tokens": {"min_new_tokens": 9, "eos_token_id": list(range(0, 96, 8))},
    "eos-many": {"eos_token_id": list(range(0, 96, 16))},
    "forced_bos_token_id": {"forced_bos_token_id": 17},
    "forced_eos_token_id": {"forced_eos_token_id": 23},
    "exponential_decay": {"exponential_decay_length_penalty": [6, 1.6], "eos_token_id": [2, 40]},
    "suppress_tokens": {"suppress_tokens": list(range(10, 70))},
    "begin_suppress_tokens": {"begin_suppress_tokens": list(range(0, 90, 2))},
    "remove_invalid_values": {"remove_invalid_values": True},
    "renormalize_logits": {"renormalize_logits": True},
    "guidance_scale": {"guidance_scale": 1.7},
    "guidance_scale-negative": {"guidance_scale": -0.5},
}
BEAMS = {
    "beams-2": {"num_beams": 2},
    "beams-4-early": {"num_beams": 4, "early_stopping": True, "eos_token_id": [3, 60]},
    "beams-4-never": {"num_beams": 4, "early_stopping": "never", "length_penalty": 2.0, "eos_token_id": [3, 60]},
    "beams-5-short": {"num_beams": 5, "length_penalty": -1.0, "eos_token_id": list(range(0, 90, 10)), "num_return_sequences": 3},
    "beams-8-zero": {"num_beams": 8, "length_penalty": 0.0, "eos_token_id": [5], "num_return_sequences": 8},
    "beams-3-processors": {"num_beams": 3, "repetition_penalty": 1.2, "no_repeat_ngram_size": 2, "eos_token_id": [3, 60, 61], "min_new_tokens": 5},
}
MODELS = ["gpt2", "llama", "llama-gqa"]


def combinations(count):
    """Several processors at once, drawn by the seed: the order among them shows."""
    names = [n for n in PROCESSORS if n not in ("min_length", "guidance_scale-negative", "remove_invalid_values")]
    draw = random.Random(SEED)
    for i in range(count):
        options = {}
        for name in draw.sample(names, draw.choice([2, 3, 3, 4, 5])):
            options.update({k: v for k, v in PROCESSORS[name].items() if k not in options})
        yield f"together-{i}", options


class Noisy(torch.nn.Module):
    """Adds noise to a model's logits while it is entered."""

    def __init__(self, model, seed, size):
        super().__init__()
        self.model, self.size, self.draw = model, size, torch.Generator().manual_seed(seed)

    def __enter__(self):
        def hook(_, __, output):
            noise = torch.rand(output.logits.shape, generator=self.draw, dtype=torch.float64)
            output.logits = output.logits + (self.size * (2 * noise - 1)).to(output.logits.dtype)
            return output
        self.handle = self.model.register_forward_hook(hook)

    def __exit__(self, *_):
        self.handle.remove()


def run(reference, prompts, options, negative, noise=None):
    """New ids of each returned sequence, without what fills short ones; and the scores of beams."""
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    call = {"eos_token_id": None, "pad_token_id": 0, "max_new_tokens": NEW, **options}
    if "max_length" in options:
        del call["max_new_tokens"]
    if "sequence_bias" in call:
        call["sequence_bias"] = [[list(k), float(b)] for k, b in call["sequence_bias"]]
    if negative:
        call["negative_prompt_ids"] = torch.tensor([negative])
    with reference._context():
        reference._fresh()
        with Noisy(reference.model, noise, NOISE[1]) if noise is not None else Noisy(reference.model, 0, 0.0):
            out = reference.model.generate(ids, attention_mask=mask, do_sample=False, return_dict_in_generate=True, output_scores=True, **call)
    eos = call["eos_token_id"] or []
    eos = eos if isinstance(eos, list) else [eos]
    rows = []
    for row in out.sequences[:, width:].tolist():
        ends = [i for i, id in enumerate(row) if id in eos]
        rows.append(row[:ends[0] + 1] if ends else row)
    beams = out.sequences_scores.tolist() if call.get("num_beams", 1) > 1 else None
    return rows, beams


def case(reference, name, model, options, lengths, draw, vocab, negative_length=0):
    """The case with the first prompts whose ids noise does not change."""
    for attempt in range(40):
        prompts = [[draw.randrange(1, vocab) for _ in range(n)] for n in lengths]
        for p in prompts:                       # something to repeat
            if len(p) > 6:
                p[-2:] = p[1:3]
        negative = [draw.randrange(1, vocab) for _ in range(negative_length)]
        rows, beams = run(reference, prompts, options, negative)
        if all(run(reference, prompts, options, negative, noise)[0] == rows for noise in range(1, 1 + NOISE[0])):
            break
    else:
        print(f"{model} {name}: no prompt without near ties")
        return None
    result = {"name": name, "model": model, "prompts": prompts}
    if negative:
        result["negative_prompt_ids"] = negative
    result["generation_config"] = {"pad_token_id": 0, **({} if "max_length" in options else {"max_new_tokens": NEW}), **options}
    result["new_ids"] = rows
    if beams:
        result["sequences_scores"] = [float(f"{s:.8g}") for s in beams]
    print(f"{model} {name}: {attempt + 1} tries, {len(rows)} sequences of {[len(r) for r in rows]}", flush=True)
    return result


def tiny_cases():
    draw = random.Random(SEED)
    for model in MODELS:
        folder = HERE / "tiny" / model
        reference = Reference(folder, "float64")
        vocab = reference.model.config.vocab_size
        yield case(reference, "greedy", model, {}, [7], draw, vocab)
        yield case(reference, "batch", model, {}, [3, 9, 1, 6], draw, vocab)
        for name, options in PROCESSORS.items():
            yield case(reference, name, model, options, [1 if "forced_bos" in name else 8], draw, vocab)
        yield case(reference, "guidance_scale-with-negative-prompt", model, {"guidance_scale": 2.0}, [6], draw, vocab, negative_length=4)
        if model == "llama-gqa":
            for name, options in PROCESSORS.items():
                yield case(reference, f"batch-{name}", model, options, [1, 1] if "forced_bos" in name else [4, 11, 7], draw, vocab)
            for name, options in combinations(30):
                yield case(reference, name, model, options, [9], draw, vocab)
            for name, options in combinations(6):
                yield case(reference, f"batch-{name}", model, options, [5, 12], draw, vocab)
        for name, options in BEAMS.items():
            yield case(reference, name, model, options, [6], draw, vocab)
            yield case(reference, f"batch-{name}", model, options, [4, 8], draw, vocab)


SMOLLM2 = {
    "greedy": {}, "repetition_penalty": {"repetition_penalty": 1.3}, "no_repeat_ngram_size": {"no_repeat_ngram_size": 3},
    "penalty-and-bigrams": {"repetition_penalty": 1.1, "no_repeat_ngram_size": 2},
    "guidance_scale": {"guidance_scale": 1.5}, "min_new_tokens": {"min_new_tokens": 20, "eos_token_id": [2, 28, 30]},
    "beams-2": {"num_beams": 2}, "beams-4": {"num_beams": 4, "early_stopping": True}, "beams-4-never": {"num_beams": 4, "early_stopping": "never"},
    "beams-4-two": {"num_beams": 4, "num_return_sequences": 2, "length_penalty": 0.6}, "beams-8": {"num_beams": 8, "no_repeat_ngram_size": 2},
}
TEXTS = ["The capital of France is", "Once upon a time", "def fibonacci(n):\n", "Water boils at", "My favourite colour is", "The quick brown fox"]


def smollm2_cases(folder):
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(folder)
    reference = Reference(folder, "float64", "sdpa")
    for name, options in SMOLLM2.items():
        for texts in (TEXTS[:1], TEXTS[1:2], TEXTS[2:5]):
            prompts = [tokenizer(t).input_ids for t in texts]
            options = {"eos_token_id": 2, **options}
            rows, beams = run(reference, prompts, options, None)
            if run(reference, prompts, options, None, noise=1)[0] != rows:
                print(f"{name}: near ties, left out")
                continue
            result = {"name": f"{name}-{len(texts)}", "model": "hf-float32", "texts": texts, "prompts": prompts,
                      "generation_config": {"pad_token_id": 0, "max_new_tokens": NEW, **options}, "new_ids": rows}
            if beams:
                result["sequences_scores"] = [float(f"{s:.8g}") for s in beams]
            print(f"smollm2 {name}: {[len(r) for r in rows]}", flush=True)
            yield result


def write(path, cases):
    record = {"what": "generations by transformers' generate()", "seed": SEED, **VERSIONS, "cases": [c for c in cases if c]}
    text = json.dumps(record)
    for key in ("seed", "cases"):
        text = text.replace(f' "{key}"', f'\n "{key}"')
    path.write_text(text.replace('{"name"', '\n  {"name"') + "\n")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--smollm2")
    arguments = arguments.parse_args()
    if arguments.smollm2:
        write(HERE / "smollm2" / "generation.json", smollm2_cases(arguments.smollm2))
    else:
        write(HERE / "generation.json", tiny_cases())


if __name__ == "__main__":
    main()
