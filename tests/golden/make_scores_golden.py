#!/usr/bin/env python3
"""Makes tests/golden/scores.json: log-probabilities of texts, and perplexities, by transformers.

    python tests/golden/make_scores_golden.py      # needs torch and transformers; a minute

Log-probabilities are of the float64 reference (reference.py). Perplexities are computed by the program of transformers' documentation,
"Perplexity of fixed-length models", with float32 models; where its last window has one id, its loss is NaN: that window is left out here.
"""
import json
import random
from pathlib import Path

import torch
from transformers import AutoTokenizer

from reference import Reference, VERSIONS, digits, readable

SEED = 5
HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STORIES = "samples/models/stories"
TEXTS = ["Once upon a time, there was a little girl named Lily.", "One day", "The cat sat on a mat.\n\n\"Hello!\" said the cat. 123 xyz"]
# Model, lengths of random texts, and (length, max_length, stride) of perplexities.
MODELS = [
    ("tiny/llama", [2, 33, 160], [(200, 64, 16), (160, 160, 160), (130, 64, 64), (129, 64, 64), (50, 7, 1), (2, 160, 160)]),
    ("tiny/llama-bfloat16", [90], [(150, 40, 30)]),
    ("tiny/llama-llama3", [1, 600], []),
    ("tiny/llama-dynamic", [60], [(60, 24, 8)]),
    ("tiny/gpt2", [130], [(300, 130, 50)]),
]


def log_probs(reference, ids):
    rows = torch.log_softmax(reference.logits(ids)[:-1], dim=-1)
    return rows[torch.arange(len(ids) - 1), torch.tensor(ids[1:], dtype=torch.long)]


def scored(wide, narrow, ids):
    exact = log_probs(wide, ids)
    error = (log_probs(narrow, ids) - exact).abs().max().item() if len(ids) > 1 else 0.0
    return {"input_ids": ids, "float32_max_abs_error_of_torch": float(f"{error:.3g}"), "log_probs": digits(exact)}


def perplexity(reference, ids, max_length, stride):
    encodings = torch.tensor([ids])
    seq_len = encodings.size(1)
    nll_sum, n_tokens, windows, prev_end_loc = 0.0, 0, 0, 0
    for begin_loc in range(0, seq_len, stride):
        end_loc = min(begin_loc + max_length, seq_len)
        trg_len = end_loc - prev_end_loc
        input_ids = encodings[:, begin_loc:end_loc]
        target_ids = input_ids.clone()
        target_ids[:, :-trg_len] = -100
        windows += 1
        if input_ids.size(1) > 1:
            with torch.no_grad():
                reference._fresh()
                neg_log_likelihood = reference.model(input_ids, labels=target_ids).loss
            num_valid_tokens = (target_ids != -100).sum().item()
            num_loss_tokens = num_valid_tokens - target_ids.size(0)
            nll_sum += neg_log_likelihood.double().item() * num_loss_tokens
            n_tokens += num_loss_tokens
        prev_end_loc = end_loc
        if end_loc == seq_len:
            break
    return {"input_ids": ids, "max_length": max_length, "stride": stride, "mean_nll": nll_sum / n_tokens, "tokens": n_tokens, "windows": windows}


def main():
    rng = random.Random(SEED)
    tokenizer = AutoTokenizer.from_pretrained(ROOT / STORIES)
    models = []
    for name, lengths, windows in MODELS:
        folder = HERE / name
        vocab = json.loads((folder / "config.json").read_text())["vocab_size"]

        def some(count):
            return [rng.randrange(vocab) for _ in range(count)]
        wide, narrow = Reference(folder, "float64"), Reference(folder, "float32")
        models.append({"model": f"tests/golden/{name}",
                       "texts": [scored(wide, narrow, ids) for ids in map(some, lengths)],
                       "perplexities": [perplexity(narrow, some(count), most, stride) for count, most, stride in windows]})
    wide, narrow = Reference(ROOT / STORIES, "float64"), Reference(ROOT / STORIES, "float32")
    long = tokenizer("\n\n".join(TEXTS * 9)).input_ids
    models.append({"model": STORIES,
                   "texts": [{"text": text, **scored(wide, narrow, tokenizer(text).input_ids)} for text in TEXTS],
                   "perplexities": [perplexity(narrow, long, 256, 100), perplexity(narrow, long, 128, 128)]})
    text = readable({"what": "log-probabilities of ids given those before, and perplexities with a sliding window", **VERSIONS, "seed": SEED, "models": models})
    (HERE / "scores.json").write_text(text)
    print(len(text), "bytes")


if __name__ == "__main__":
    main()
