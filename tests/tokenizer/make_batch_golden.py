#!/usr/bin/env python3
"""Writes data/batches.jsonl.xz: batches of texts and pairs, and what transformers makes of them with many options.

A line is {"label", "files": {name: base64}, "cases": [{"texts", "pairs", "options", "rows": [...] or "error": true}]}. Offsets are
converted to bytes. Needs what make_folder_golden.py needs; the seed is fixed.
"""
import base64
import json
import lzma
import pathlib
import random
import tempfile

import make_folder_golden as folders
import make_small_golden as small
from transformers import AutoTokenizer

TEXTS = ["", "hello", "hello world", "the token", "don't I'll 123", "été 日本", " the  the", "hello world the token hello world the token hello world",
         "a", "<s> hello", "world, hello! the token of 日本 été", "x y z x y z x y z"]


def pair_template(first, n):
    single = [{"SpecialToken": {"id": first, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}]
    pair = single + [{"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "</s>", "type_id": 1}}]
    ids = {first: n, "</s>": n + 1}
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": {k: {"id": k, "ids": [i], "tokens": [k]} for k, i in ids.items()}}


def tokenizers():
    config = folders.plain_json(tokens=[small.added("<s>", "s"), small.added("</s>", "s"), small.added("<pad>", "s")])
    n = folders.size_of(config)
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
    yield "byte-level with a template", {"tokenizer.json": config | {"post_processor": pair_template("<s>", n)}, "tokenizer_config.json": folders.CLASS | names | {"model_max_length": 12}}
    yield "byte-level, left", {"tokenizer.json": config, "tokenizer_config.json": folders.CLASS | names | {"padding_side": "left", "truncation_side": "left"}}
    yield "no pad token", {"tokenizer.json": config | {"truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
                                                       "padding": None}, "tokenizer_config.json": folders.CLASS | {"bos_token": "<s>"}}
    yield "SentencePiece", {"tokenizer.model": folders.spm(**folders.LLAMA), "tokenizer_config.json": folders.CLASS | {"add_bos_token": True, "pad_token": "<pad>"}}


def byte_offsets(text, span):
    return [len(text[:span[0]].encode()), len(text[:span[1]].encode())]


def rows(batch, texts, pairs, count):
    samples = batch.get("overflow_to_sample_mapping", list(range(count)))
    made = []
    for i, sample in enumerate(samples):
        sequence = batch.sequence_ids(i)
        offsets = [[0, 0] if s is None else byte_offsets((texts if s == 0 else pairs)[sample], span) for s, span in zip(sequence, batch["offset_mapping"][i])]
        made.append({"text": sample, "ids": batch["input_ids"][i], "type_ids": batch["token_type_ids"][i], "attention_mask": batch["attention_mask"][i],
                     "special_tokens_mask": batch["special_tokens_mask"][i], "sequence_ids": [-1 if s is None else s for s in sequence], "offsets": offsets})
    return made


def case(tokenizer, r):
    count = r.choice([1, 1, 2, 3, 5])
    texts = [r.choice(TEXTS) for _ in range(count)]
    pairs = [r.choice(TEXTS) for _ in range(count)] if r.random() < 0.4 else None
    options = {"add_special_tokens": r.random() < 0.8, "padding": r.choice([False, "longest", "longest", "max_length"]),
               "truncation": r.choice([False, False, "longest_first", "longest_first", "only_first", "only_second"])}
    if r.random() < 0.7:
        options["max_length"] = r.choice([2, 3, 4, 5, 8, 12, 16, 30])
    if r.random() < 0.3:
        options["pad_to_multiple_of"] = r.choice([2, 4, 8])
    if r.random() < 0.3:
        options["padding_side"] = r.choice(["left", "right"])
    if r.random() < 0.4:
        options["stride"] = r.choice([1, 2, 3])
    if r.random() < 0.2:
        options["split_special_tokens"] = True
    if options["truncation"] and r.random() < 0.5 and not (pairs and options["truncation"] == "longest_first"):
        options["return_overflowing_tokens"] = True
    if pairs and options.get("max_length") == tokenizer.num_special_tokens_to_add(True):
        options.pop("return_overflowing_tokens", None)  # both texts vanish: oclm does not offer their parts
    line = {"texts": texts, "pairs": pairs, "options": options}
    longest = options.get("max_length", tokenizer.model_max_length)
    if options["truncation"] and options["add_special_tokens"] and longest < tokenizer.num_special_tokens_to_add(pairs is not None):
        return line | {"error": "the reference computes a length below zero"}
    try:
        batch = tokenizer(texts, pairs, return_token_type_ids=True, return_attention_mask=True, return_special_tokens_mask=True, return_offsets_mapping=True, **options)
        return line | {"rows": rows(batch, texts, pairs, count)}
    except BaseException as error:  # the reference also panics
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return line | {"error": f"{type(error).__name__}: {error}"[:200]}


def main():
    lines = []
    for label, files in tokenizers():
        with tempfile.TemporaryDirectory() as name:
            files = folders.write(pathlib.Path(name), dict(files))
            tokenizer = AutoTokenizer.from_pretrained(name)
        r = random.Random(small.SEED)
        cases = [case(tokenizer, r) for _ in range(150)]
        print(f"{label}: {sum('error' in c for c in cases)} of {len(cases)} are errors: {sorted({c['error'][:60] for c in cases if 'error' in c})}")
        lines.append(json.dumps({"label": label, "files": files, "cases": cases}, ensure_ascii=True, separators=(",", ":")) + "\n")
    packed = lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME)
    path = pathlib.Path(__file__).resolve().parent / "data" / "batches.jsonl.xz"
    path.write_bytes(packed)
    print(f"{path.name}: {len(lines)} tokenizers, {sum(map(len, lines))} bytes, packed {len(packed)}")


if __name__ == "__main__":
    main()
