#!/usr/bin/env python3
"""Writes data/stop_strings.jsonl.xz: where transformers' StopStringCriteria stops.

    python tests/generation/make_stop_strings_golden.py [SHARED_DATA]     # needs torch and transformers; minutes

A line is a tokenizer ("tokenizer": a tokenizer.json as text, or "folder": where it lies) and sets of strings: {"stop": [...], "refused": true where
transformers finds no token for any, else "rows": [{"ids", "hits": the lengths at which it would stop}]}. SHARED_DATA holds data/tokenizers with the
archives of real tokenizers; without it their lines are kept as they are. The seed is fixed.
"""
import json
import lzma
import pathlib
import random
import sys
import tarfile
import tempfile

import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer, GPT2Tokenizer, PreTrainedTokenizerFast
from transformers.generation.stopping_criteria import StopStringCriteria

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = HERE / "data" / "stop_strings.jsonl.xz"
REAL = ["gemma3", "llama2", "llama3", "qwen3"]
TEXTS = [
    "Once upon a time, there was a little girl named Lily.\n\nShe said: \"I don't know!\" The end.",
    "hello the world a b hello, don't 123 token I'll the end",
    "def f(x):\n    return x + 1\n\n# été 日本語 🙂🙃 naïve\n",
    "abc abcde fgh abcdabcd ef  efgh",
    "User: 3 + 4 = 7</s><|im_end|>\nAssistant: <0x0A> ▁ok Ġ ##ing",
]


def pieces(rng, text):
    """A string that occurs in the text, mostly short."""
    begin = rng.randrange(len(text) - 1)
    return text[begin:begin + rng.choice([1, 1, 2, 3, 4, 6, 9, 14])]


def rows(rng, tokenizer, criteria, stops, count, length, ids_known):
    made = []
    for _ in range(count):
        text = "".join(rng.choice([rng.choice(stops), pieces(rng, rng.choice(TEXTS)), rng.choice(stops)[:-1]]) for _ in range(8))
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        for _ in range(rng.choice([0, 0, 1, 3])):  # tokens that no text would give in that place
            ids.insert(rng.randrange(len(ids) + 1), rng.choice(ids_known))
        if rng.random() < 0.1:
            ids.insert(rng.randrange(len(ids) + 1), max(ids_known) + rng.choice([1, 2, 40]))
        ids = ids[:length]
        hits = [n for n in range(1, len(ids) + 1) if criteria(torch.tensor([ids[:n]]), None).item()]
        made.append({"ids": ids, "hits": hits})
    return made


def sets(rng, tokenizer, count, rows_each, length):
    made = []
    known = sorted(set(tokenizer.get_vocab().values()))
    special = [t for t in tokenizer.all_special_tokens if t] or ["</s>"]
    for i in range(count):
        stops = [pieces(rng, rng.choice(TEXTS)) for _ in range(rng.choice([1, 1, 2, 4]))]
        if i == 0:
            stops = ["\n\n", rng.choice(special)]
        if i == 1:
            stops = [bytes(rng.choice("日🙂é"), "utf-8").decode() + rng.choice(["", " ", "n"])]
        if i == 2:
            stops = ["\u16a0\u16b1"]
        try:
            criteria = StopStringCriteria(tokenizer, stops)
        except ValueError as error:
            if "unable to identify tokens" not in str(error):
                raise
            made.append({"stop": stops, "refused": True})
            continue
        made.append({"stop": stops, "rows": rows(rng, tokenizer, criteria, stops, rows_each, length, known)})
    return made


def with_prefix(tree):
    """The same tokenizer, which also knows what transformers puts in front of each token; without it it fails."""
    vocab = tree["model"]["vocab"]
    ids = [*(vocab.values() if isinstance(vocab, dict) else range(len(vocab))), *(t["id"] for t in tree["added_tokens"])]
    token = {"id": max(ids) + 1, "content": "abcdef", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    return json.dumps(tree | {"added_tokens": [*tree["added_tokens"], token]}, ensure_ascii=False)


def small(rng):
    seen = set()
    for name in ("small", "trained"):
        for line in lzma.open(ROOT / "tests/tokenizer/data" / f"{name}.jsonl.xz", "rt"):
            line = json.loads(line)
            tree = json.loads(line["tokenizer"])
            decoder = json.dumps(tree.get("decoder"))
            if decoder in seen or len(line["tokenizer"]) > 60000:
                continue
            for text in (line["tokenizer"], with_prefix(tree)):
                try:
                    made = sets(rng, PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(text)), 9, 5, 40)
                except Exception as error:
                    print(f"left out: {line['label']}: {type(error).__name__} {error}")
                    continue
                seen.add(decoder)
                yield {"label": f"{name}: {line['label']}", "tokenizer": text, "sets": made}
                break


def real(rng, shared):
    yield {"label": "stories", "folder": "samples/models/stories",
           "sets": sets(rng, AutoTokenizer.from_pretrained(ROOT / "samples/models/stories"), 12, 6, 40)}
    for name in ["gpt2", *REAL]:
        with tempfile.TemporaryDirectory() as folder:
            archive = (ROOT / "tests/tokenizer/data" if name == "gpt2" else shared) / f"{name}.tar.xz"
            tarfile.open(archive).extractall(folder, filter="data")
            at = pathlib.Path(folder) / name
            if name == "gpt2":
                tokenizer = GPT2Tokenizer(vocab=str(at / "vocab.json"), merges=str(at / "merges.txt"))
            else:
                tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(at / "tokenizer.json"))
            yield {"label": name, "folder": name, "sets": sets(rng, tokenizer, 6, 8, 40)}
            print(name)


def main():
    rng = random.Random(7)
    lines = list(small(rng))
    if len(sys.argv) > 1:
        lines += real(rng, pathlib.Path(sys.argv[1]) / "data" / "tokenizers")
    else:
        lines += [line for line in map(json.loads, lzma.open(OUT, "rt")) if "folder" in line]
    with lzma.open(OUT, "wt", preset=9) as out:
        for line in lines:
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
    print(f"{len(lines)} tokenizers, {sum(len(s['stop']) for line in lines for s in line['sets'])} strings, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
