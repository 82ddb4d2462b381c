#!/usr/bin/env python3
"""Writes data/words.jsonl.xz: what transformers' TextStreamer prints, step by step.

    python tests/tokenizer/make_words_golden.py      # needs torch and transformers

A line is a tokenizer, as in small.jsonl.xz ("tokenizer": a tokenizer.json as text), or "folder": where it lies here; and streams:
{"skip_special_tokens", "puts": [[id, ...], ...], "printed": [text of each put, then of end()]}. The seed is fixed.
"""
import json
import lzma
import pathlib
import random

import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast, TextStreamer

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TEXTS = [
    "Once upon a time, there was a little girl named Lily.\n\nShe said: \"I don't know!\" The end.",
    "hello the world  a b hello, don't 123 token I'll the end \n\n hello\nthe  ",
    "日本 日本語です été naïve 🙂 𠀀a 豈 中\n文 hello日 the",
    "abc abcde fgh abcdabcd ef  efgh . ! n't hello , world",
]


class Printed(TextStreamer):
    def on_finalized_text(self, text, stream_end=False):
        self.printed.append(text)


def stream(rng, tokenizer, ids, several):
    skip = rng.random() < 0.4
    streamer = Printed(tokenizer, skip_special_tokens=skip)
    streamer.printed = []
    puts = []
    while ids:
        count = rng.choice([1, 1, 3, 5]) if several else 1
        puts.append(ids[:count])
        ids = ids[count:]
        streamer.put(torch.tensor(puts[-1]))
    streamer.end()
    return {"skip_special_tokens": skip, "puts": puts, "printed": streamer.printed}


def streams(rng, tokenizer, count):
    known = sorted(set(tokenizer.get_vocab().values()))
    made = []
    for i in range(count):
        ids = tokenizer(rng.choice(TEXTS), add_special_tokens=False)["input_ids"]
        for _ in range(rng.choice([0, 2, 6])):
            ids.insert(rng.randrange(len(ids) + 1), rng.choice(known))
        if i % 3 == 0:
            ids = [rng.choice(known) for _ in range(40)]
        one = stream(rng, tokenizer, ids, i % 4 == 1)
        if not any("\0" in text for text in one["printed"]):  # which the test's JSON cannot say
            made.append(one)
    return made


def main():
    rng = random.Random(11)
    lines, seen = [], set()
    for name in ("small", "trained"):
        for line in lzma.open(HERE / "data" / f"{name}.jsonl.xz", "rt"):
            line = json.loads(line)
            decoder = json.dumps(json.loads(line["tokenizer"]).get("decoder"))
            if decoder in seen or len(line["tokenizer"]) > 60000:
                continue
            try:
                made = streams(rng, PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(line["tokenizer"])), 12)
            except Exception as error:
                print(f"left out: {line['label']}: {type(error).__name__} {error}")
                continue
            seen.add(decoder)
            lines.append({"label": f"{name}: {line['label']}", "tokenizer": line["tokenizer"], "streams": made})
    lines.append({"label": "stories", "folder": "samples/models/stories",
                  "streams": streams(rng, AutoTokenizer.from_pretrained(ROOT / "samples/models/stories"), 60)})
    out = HERE / "data" / "words.jsonl.xz"
    with lzma.open(out, "wt", preset=9) as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(f"{len(lines)} tokenizers, {sum(len(line['streams']) for line in lines)} streams, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
