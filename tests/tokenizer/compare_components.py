#!/usr/bin/env python3
"""Compares oclm's normalizers and pre-tokenizers, one by one and combined, with Hugging Face's. Needs `pip install tokenizers`.

  compare_components.py --library build/liboclm.so                random texts, for every component
  compare_components.py --library build/liboclm.so --scan         every code point, alone and between letters, for every component

The model of each tokenizer here knows single bytes only, and knows whether a byte begins a piece: so ids show every byte of
the normal form and every cut.
"""
import argparse
import base64
import io
import itertools
import json
import pathlib
import random
import sys
import tempfile

import tokenizers
from tokenizers import Tokenizer

import components
from compare_with_reference import Ours
from random_texts import random_text


def scan_texts(width=48):
    """Every code point but surrogates: alone, and between letters."""
    points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    for i in range(0, len(points), width):
        part = points[i:i + width]
        yield "\n".join(map(chr, part))
        yield "a" + "a ".join(map(chr, part)) + "e"


def random_texts(seed, count):
    r = random.Random(seed)
    for _ in range(count):
        yield random_text(r, components.PIECES)


def sentencepiece_configs():
    """SentencePiece's own tries, where PyPI's sentencepiece and protobuf are there."""
    try:
        import sentencepiece
        from sentencepiece import sentencepiece_model_pb2
    except ImportError:
        print("without SentencePiece's tries: sentencepiece or protobuf is missing")
        return
    for rule in ("nmt_nfkc", "nmt_nfkc_cf"):
        written, model = io.BytesIO(), sentencepiece_model_pb2.ModelProto()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["a b c d e f g"] * 50), model_writer=written, vocab_size=20, hard_vocab_limit=False,
                                                 minloglevel=2, normalization_rule_name=rule)
        model.ParseFromString(written.getvalue())
        charsmap = base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()
        yield f"Precompiled {rule}", components.tokenizer(normalizer={"type": "Precompiled", "precompiled_charsmap": charsmap})


def compare(label, config, folder, library, texts):
    (folder / "tokenizer.json").write_text(json.dumps(config), "utf-8")
    reference = Tokenizer.from_str(json.dumps(config))
    ours = Ours(library, folder)
    checked = wrong = 0
    for text in texts:
        checked += 1
        try:
            want = reference.encode(text, add_special_tokens=False).ids
        except BaseException as error:  # the reference panics
            if checked < 3:
                print(f"{label}: the reference fails at {text!r}: {error}")
            continue
        got = ours.encode(text, False)
        if got != want:
            wrong += 1
            if wrong <= 3:
                print(f"{label}: {text!r}: {components.pieces(got)}, want {components.pieces(want)}")
    ours.close()
    print(f"{label}: {checked} texts, {wrong} differing", flush=True)
    return wrong


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--library", required=True, help="liboclm.so")
    p.add_argument("--count", type=int, default=2000, help="texts a component")
    p.add_argument("--seed", type=int, default=20)
    p.add_argument("--scan", action="store_true")
    p.add_argument("--only", help="components whose label holds this")
    a = p.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for label, config in itertools.chain(components.configs(), sentencepiece_configs()):
            if a.only is None or a.only in label:
                texts = scan_texts() if a.scan else random_texts(a.seed, a.count)
                wrong += compare(label, config, pathlib.Path(folder), a.library, texts)
    print(f"tokenizers {tokenizers.__version__}: {wrong} texts differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
