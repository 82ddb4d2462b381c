#!/usr/bin/env python3
"""Makes tests/golden/stories.json: what the sample model samples/models/stories says, by transformers.

    python tests/golden/make_stories_golden.py      # needs torch and transformers; seconds

The weights are the stored float16, widened; the float64 reference is described in reference.py.
"""
import json
from pathlib import Path

from transformers import AutoTokenizer

from reference import VERSIONS, answers, readable

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent.parent / "samples" / "models" / "stories"
PROMPTS = [
    "Once upon a time",
    "One day",
    "There was a",
    "In a small village",
    "Once upon a time, there was a clever fox named Greta. She lived in a warm den under an old oak tree.\n\nOne morning, Greta found",
    "<|endoftext|>",
]


def main():
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    eos = json.loads((MODEL / "generation_config.json").read_text())["eos_token_id"]
    ids = [tokenizer(text).input_ids for text in PROMPTS]
    prompts = []
    for text, answer in zip(PROMPTS, answers(MODEL, ids, [60] * len(ids), lambda n: [n - 1], eos=[eos])):
        new = answer["greedy_new_ids"]
        assert answer.pop("greedy_new_ids_agree_in_float32"), text
        prompts.append({"text": text, **answer, "new_text": tokenizer.decode(new, skip_special_tokens=True)})
        print(f"{answer['greedy_smallest_lead']:.3f} {answer['float32_max_abs_error_of_torch']:.1e} {text!r} -> {prompts[-1]['new_text']!r}")
    record = {"what": "greedy text and last-position logits of samples/models/stories", **VERSIONS,
              "float32_max_abs_error_of_torch": max(p["float32_max_abs_error_of_torch"] for p in prompts), "prompts": prompts}
    (HERE / "stories.json").write_text(readable(record))


if __name__ == "__main__":
    main()
