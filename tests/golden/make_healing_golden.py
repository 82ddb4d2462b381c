#!/usr/bin/env python3
"""Makes tests/golden/healing.json: prompts whose last token is made anew (token_healing), by transformers, with the sample model.

    python tests/golden/make_healing_golden.py      # needs torch and transformers; seconds

{"text", "input_ids", "healed_ids": heal_tokens(), "output_ids": new ids of generate(healed_ids), as token_healing=True gives them}. Where the two best tokens are closer than
1e-3 in the healing step, or in the generation, the prompt is left out.
"""
import json
from pathlib import Path

import torch
from transformers import AutoTokenizer

from reference import Reference, VERSIONS, readable

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent.parent / "samples" / "models" / "stories"
TEXTS = ["Once upon a ti", "Once upon a time, there was a little gir", "One day, a boy named T", "She said: \"Hel", "They played in the par", "  The cat sat on the m ",
         "The dog was very hap", "Lily went to the st", "Once upon a time", "He was s", "Once upon a time, there wa", "O", "Mom sai", "The end.", "It was a sunny da\n",
         "Tom and Sue fou", "She liked to pl", "He ran to his mo", "\"Do not wor", "The bird fle", "One day they wen", "Ben saw a bi", "A", "x", "The"]
NEW = 8


def main():
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    tokenizer.pad_token = tokenizer.eos_token      # heal_tokens() asks for one
    model = Reference(MODEL, "float64")
    healed_at_all = 0
    prompts = []
    for text in TEXTS:
        ids = tokenizer(text, return_tensors="pt").input_ids
        with model._context():
            healed = model.model.heal_tokens(ids, tokenizer)[0].tolist()
            options = dict(do_sample=False, max_new_tokens=NEW, pad_token_id=0, eos_token_id=0)
            whole = model.model.generate(ids, token_healing=True, tokenizer=tokenizer, **options)[0].tolist()
            out = model.model.generate(torch.tensor([healed]), output_scores=True, return_dict_in_generate=True, **options)
        lead = min((s[0].topk(2).values[0] - s[0].topk(2).values[1]).item() for s in out.scores)
        again = tokenizer(text.strip()).input_ids
        if lead < 1e-3:
            print("left out:", repr(text), lead)
            continue
        healed_at_all += healed != again
        output = out.sequences[0].tolist()
        # Where stripping made the prompt shorter, transformers goes on with the attention mask of the longer one.
        assert whole == output or len(healed) != ids.shape[1], text
        prompts.append({"text": text, "input_ids": ids[0].tolist(), "healed_ids": healed, "output_ids": output[len(healed):]})
        print(repr(text), "->", repr(tokenizer.decode(healed)), repr(tokenizer.decode(output)))
    text = readable({"what": "prompts of samples/models/stories with token_healing", **VERSIONS, "prompts": prompts})
    (HERE / "healing.json").write_text(text)
    print(len(prompts), "prompts,", healed_at_all, "healed")


if __name__ == "__main__":
    main()
