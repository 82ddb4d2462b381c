#!/usr/bin/env python3
"""Compares oclm's normalizers and pre-tokenizers, one by one and combined, with Hugging Face's. Needs `pip install tokenizers`.

  compare_components.py --library build/liboclm.so                random texts, for every component
  compare_components.py --library build/liboclm.so --scan         every code point, alone and between letters, for every component

The model of each tokenizer here knows single bytes only, and knows whether a byte begins a piece: so ids show every byte of
the normal form and every cut. Compared are ids and offsets.
"""
import argparse
import base64
import ctypes
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


def random_texts(seed, count, own):
    r = random.Random(seed)
    for n in range(count):
        if own and n % 2:
            yield "".join(r.choice(own + list(" \nabé日")) for _ in range(r.randrange(1, 12)))
        else:
            yield random_text(r, components.PIECES + own)


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


class Options(ctypes.Structure):
    """oclm_encode_options"""
    _fields_ = [("struct_size", ctypes.c_size_t), ("add_special_tokens", ctypes.c_bool), ("return_offsets", ctypes.c_bool), ("return_overflowing_tokens", ctypes.c_bool),
                ("split_special_tokens", ctypes.c_int), ("padding", ctypes.c_int), ("padding_side", ctypes.c_int), ("pad_to_multiple_of", ctypes.c_uint32),
                ("pad_token_id", ctypes.c_int32), ("truncation", ctypes.c_int), ("truncation_side", ctypes.c_int), ("max_length", ctypes.c_uint32), ("stride", ctypes.c_uint32)]


class Text(ctypes.Structure):
    """oclm_text"""
    _fields_ = [("text", ctypes.c_char_p), ("length", ctypes.c_size_t), ("pair", ctypes.c_char_p), ("pair_length", ctypes.c_size_t)]


class Encoding(ctypes.Structure):
    """oclm_encoding"""
    _fields_ = [("struct_size", ctypes.c_size_t), ("length", ctypes.c_size_t), ("text", ctypes.c_size_t), ("ids", ctypes.POINTER(ctypes.c_int32)), ("type_ids", ctypes.c_void_p),
                ("attention_mask", ctypes.c_void_p), ("special_tokens_mask", ctypes.c_void_p), ("sequence_ids", ctypes.c_void_p), ("offsets", ctypes.POINTER(ctypes.c_size_t))]


class OursWithOffsets(Ours):
    def __init__(self, library, folder):
        super().__init__(library, folder)
        self.lib.oclm_batch_free.argtypes = self.lib.oclm_tokenizer_free.argtypes = [ctypes.c_void_p]

    def encode_with_offsets(self, text):
        """Ids and offsets in characters, without special tokens."""
        options, batch, row = Options(), ctypes.c_void_p(), Encoding()
        self.lib.oclm_encode_options_init(ctypes.byref(options), ctypes.c_size_t(ctypes.sizeof(options)))
        options.add_special_tokens, options.return_offsets = False, True
        data = text.encode()
        self.call("oclm_tokenizer_encode_batch", self.handle, ctypes.byref(Text(data, len(data), None, 0)), ctypes.c_size_t(1), ctypes.byref(options), ctypes.byref(batch))
        row.struct_size = ctypes.sizeof(row)
        self.call("oclm_batch_get", batch, ctypes.c_size_t(0), ctypes.byref(row))
        places, at = {0: 0}, 0
        for i, char in enumerate(text):
            at += len(char.encode())
            places[at] = i + 1
        ids, offsets = row.ids[:row.length], [(places.get(row.offsets[2 * i], -1), places.get(row.offsets[2 * i + 1], -1)) for i in range(row.length)]
        self.lib.oclm_batch_free(batch)
        return ids, offsets

    def close(self):
        self.lib.oclm_tokenizer_free(self.handle)


def compare(label, config, folder, library, texts):
    (folder / "tokenizer.json").write_text(json.dumps(config), "utf-8")
    reference = Tokenizer.from_str(json.dumps(config))
    ours = OursWithOffsets(library, folder)
    checked = wrong = 0
    for text in texts:
        try:
            want = reference.encode(text, add_special_tokens=False)
        except BaseException:  # the reference panics
            continue
        checked += 1
        ids, offsets = ours.encode_with_offsets(text)
        if (ids, offsets) != (want.ids, want.offsets):
            wrong += 1
            if wrong <= 3:
                print(f"{label}: {text!r}: {components.pieces(ids)} at {offsets}, want {components.pieces(want.ids)} at {want.offsets}")
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
                texts = scan_texts() if a.scan else random_texts(a.seed, a.count, [token["content"] for token in config["added_tokens"]])
                wrong += compare(label, config, pathlib.Path(folder), a.library, texts)
    print(f"tokenizers {tokenizers.__version__}: {wrong} texts differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
