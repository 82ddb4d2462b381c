#!/usr/bin/env python3
"""Makes beam_stops.json: beam searches by transformers' generate() on the sample model that strings end, as make_beams.py makes those that ids end.

    python tests/golden/make_beam_stops.py      # needs torch and transformers; a minute

The strings are pieces of what the search without them writes, cut anywhere: inside tokens and across them. As there, a case counts only if noise
on the logits changes nothing.
"""
import json
import random
from pathlib import Path

from transformers import AutoTokenizer

from make_beams import NOISE, search
from reference import VERSIONS, Reference

HERE = Path(__file__).resolve().parent
STORIES = HERE.parent.parent / "samples" / "models" / "stories"
SEED = 11
CASES = 16
TEXTS = ["Once upon a time", "Lily had a red", "One day, Tom", "The dog was", "Her mother said", "They went to the", "It"]


def draw_case(reference, tokenizer, draw, index):
    beams = 2 + index % 5
    options = {"num_beams": beams, "max_new_tokens": draw.choice([12, 16, 24]), "num_return_sequences": draw.randint(1, beams),
               "early_stopping": draw.choice([False, True, "never"]), "length_penalty": draw.choice([1.0, 1.0, 0.0, -1.0, 2.0])}
    prompts = [tokenizer.encode(text) for text in draw.sample(TEXTS, draw.choice([1, 1, 2, 3]))]
    strings = []
    for _ in range(draw.choice([1, 1, 2, 3])):
        text = tokenizer.decode(draw.choice(search(reference, prompts, options)[0])[0])
        begin = draw.randrange(8, max(9, len(text) - 12))
        strings.append(text[begin:begin + draw.choice([1, 2, 3, 5, 8])])
    if draw.random() < 0.3:
        options["eos_token_id"] = draw.choice(search(reference, prompts, options)[0])[0][-1]
    return prompts, {**options, "stop_strings": strings}


def main():
    reference, tokenizer, draw = Reference(STORIES, "float64"), AutoTokenizer.from_pretrained(STORIES), random.Random(SEED)
    cases = []
    while len(cases) < CASES:
        prompts, options = draw_case(reference, tokenizer, draw, len(cases))
        if "" in options["stop_strings"]:
            continue
        call = {**options, "tokenizer": tokenizer}
        rows, scores, steps = search(reference, prompts, call)
        ended = sum(any(s in tokenizer.decode(r) for s in options["stop_strings"]) for r, _ in rows)
        if ended == 0 or any(search(reference, prompts, call, noise)[0] != rows for noise in range(1, 1 + NOISE[0])):
            continue
        print(f"case {len(cases)}: {options}, {steps} steps, {[len(r) for r, _ in rows]}, {ended} ended by a string", flush=True)
        cases.append({"name": f"stops-{len(cases)}", "model": "stories", "prompts": prompts, "generation_config": {"pad_token_id": 0, **options},
                      "steps": steps, "new_ids": [r for r, _ in rows], "beam_indices": [b for _, b in rows], "sequences_scores": scores})
    head = {"made_by": "tests/golden/make_beam_stops.py", "seed": SEED, **VERSIONS}
    lines = ",\n".join("  " + json.dumps(c) for c in cases)
    (HERE / "beam_stops.json").write_text(json.dumps(head)[:-1] + f', "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
