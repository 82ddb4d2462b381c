#!/usr/bin/env python3
"""Makes beams.json: beam searches by transformers' generate() on tiny models, with everything that bears on them drawn by a seed.

    python tests/golden/make_beams.py      # needs torch and transformers; some minutes

The reference is float64. A case counts only if sequences and beam indices stay the same with noise on the logits that is some forty times
larger than float32's error: so no decision in it is a near tie. Ends of text are ids that the search without them comes upon.
"""
import json
import random
from pathlib import Path

import torch

import make_generation
from make_generation import Noisy
from reference import VERSIONS, Reference

HERE = Path(__file__).resolve().parent
SEED = 7
NOISE = 3, 2e-4         # runs, and the size of what is added to logits
make_generation.NOISE = NOISE
MODELS = ["llama", "gpt2", "llama-gqa"]
CASES = 24              # a model
PROCESSORS = [          # no guidance_scale: transformers leaves what runs without the prompt in its old order
    {}, {}, {},
    {"repetition_penalty": 1.3},
    {"no_repeat_ngram_size": 2},
    {"min_length": 14},
    {"bad_words_ids": [[b] for b in range(0, 60, 4)] + [[8, 9], [10, 11, 13]]},
    {"repetition_penalty": 0.8, "no_repeat_ngram_size": 3, "min_new_tokens": 4},
    {"sequence_bias": [[[5], 1.5], [[7], -4.0], [[11, 12], 6.0]], "encoder_repetition_penalty": 1.4},
    {"exponential_decay_length_penalty": [3, 1.5], "renormalize_logits": True},
    {"suppress_tokens": list(range(24, 50)), "begin_suppress_tokens": list(range(0, 20)), "forced_eos_token_id": 23},
]


def search(reference, prompts, options, noise=None):
    """New ids, beam indices and score of each returned sequence, without what fills short ones; and the number of steps."""
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    call = {"eos_token_id": None, "pad_token_id": 0, **options}
    if "sequence_bias" in call:
        call["sequence_bias"] = [[list(k), float(b)] for k, b in call["sequence_bias"]]
    if call["eos_token_id"] is None:
        call.pop("exponential_decay_length_penalty", None)
    with reference._context():
        reference._fresh()
        with Noisy(reference.model, noise or 0, NOISE[1] if noise is not None else 0.0):
            out = reference.model.generate(ids, attention_mask=mask, do_sample=False, return_dict_in_generate=True, output_scores=True, **call)
    rows = []
    for row, beams in zip(out.sequences[:, width:].tolist(), out.beam_indices.tolist()):
        count = sum(b >= 0 for b in beams)
        rows.append((row[:count], beams[:count]))
    return rows, [float(f"{s:.8g}") for s in out.sequences_scores.tolist()], len(out.scores)


def draw_case(reference, draw, vocab, index):
    beams = 2 + index % 7
    options = {"num_beams": beams, "max_new_tokens": draw.choice([5, 8, 10, 12]), "num_return_sequences": draw.randint(1, beams),
               "early_stopping": draw.choice([False, True, "never"]), "length_penalty": draw.choice([1.0, 1.0, 0.0, -1.0, 2.0, 0.5]),
               **draw.choice(PROCESSORS)}
    lengths = [draw.randint(1, 9) for _ in range(draw.choice([1, 1, 2, 3]))]
    prompts = [[draw.randrange(1, vocab) for _ in range(n)] for n in lengths]
    ends = draw.choice([0, 1, 1, 2, 2])
    if ends:
        found = sorted({id for row, _ in search(reference, prompts, options)[0] for id in row[1:]})
        options["eos_token_id"] = draw.sample(found, min(ends, len(found)))
    else:
        options.pop("exponential_decay_length_penalty", None)
    return prompts, options


def stable_case(reference, name, model, draw, vocab, index):
    for attempt in range(60):
        prompts, options = draw_case(reference, draw, vocab, index)
        rows, scores, steps = search(reference, prompts, options)
        if all(search(reference, prompts, options, noise)[0] == rows for noise in range(1, 1 + NOISE[0])):
            print(f"{model} {name}: {attempt + 1} tries, {options}, {steps} steps, {[len(r) for r, _ in rows]}", flush=True)
            return {"name": name, "model": model, "prompts": prompts, "generation_config": {"pad_token_id": 0, **options}, "steps": steps,
                    "new_ids": [r for r, _ in rows], "beam_indices": [b for _, b in rows], "sequences_scores": scores}
    raise SystemExit(f"{model} {name}: no case without near ties")


def main():
    cases = []
    for model in MODELS:
        reference, draw = Reference(HERE / "tiny" / model, "float64"), random.Random(f"{SEED}/{model}")
        vocab = reference.model.config.vocab_size
        for i in range(CASES):
            cases.append(stable_case(reference, f"case-{i}", model, draw, vocab, i))
    head = {"made_by": "tests/golden/make_beams.py", "seed": SEED, **VERSIONS}
    lines = ",\n".join("  " + json.dumps(c) for c in cases)
    (HERE / "beams.json").write_text(json.dumps(head)[:-1] + f', "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
