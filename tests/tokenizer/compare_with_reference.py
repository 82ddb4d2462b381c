#!/usr/bin/env python3
"""Compares oclm's tokenizer with Hugging Face's on random texts, or their speed on text files. Needs `pip install tokenizers`.

  compare_with_reference.py --library build/liboclm.so MODEL-FOLDER...           ids, texts and streams of random texts
  compare_with_reference.py --speed MODEL-FOLDER TEXT-FILE...                    the reference's MB/s, as bench_tokenizer prints
"""
import argparse
import ctypes
import json
import pathlib
import random
import time

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from tokenizers.decoders import DecodeStream


def load_reference(folder):
    folder = pathlib.Path(folder)
    if (folder / "tokenizer.json").exists():
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    lines = (folder / "merges.txt").read_text("utf-8").split("\n")
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    tokenizer = Tokenizer(models.BPE(vocab=json.loads((folder / "vocab.json").read_text("utf-8")), merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", special=True, normalized=False)])
    return tokenizer


class Ours:
    """The public API by ctypes."""

    def __init__(self, library, folder):
        self.lib = ctypes.CDLL(str(library))
        self.lib.oclm_last_error.restype = ctypes.c_char_p
        self.lib.oclm_tokenizer_vocab_size.restype = ctypes.c_size_t
        self.lib.oclm_tokenizer_vocab_size.argtypes = [ctypes.c_void_p]
        self.lib.oclm_free.argtypes = [ctypes.c_void_p]
        self.lib.oclm_token_stream_free.argtypes = [ctypes.c_void_p]
        self.handle = ctypes.c_void_p()
        self.call("oclm_tokenizer_load", str(folder).encode(), ctypes.byref(self.handle))

    def call(self, name, *arguments):
        if getattr(self.lib, name)(*arguments) != 0:
            raise RuntimeError(f"{name}: {self.lib.oclm_last_error().decode()}")

    def encode(self, text, special):
        data, ids, count = text.encode(), ctypes.POINTER(ctypes.c_int32)(), ctypes.c_size_t()
        self.call("oclm_tokenizer_encode", self.handle, data, ctypes.c_size_t(len(data)), ctypes.c_bool(special),
                  ctypes.byref(ids), ctypes.byref(count))
        result = ids[:count.value]
        self.lib.oclm_free(ids)
        return result

    def decode(self, ids, skip):
        text, length = ctypes.c_void_p(), ctypes.c_size_t()
        self.call("oclm_tokenizer_decode", self.handle, (ctypes.c_int32 * len(ids))(*ids), ctypes.c_size_t(len(ids)),
                  ctypes.c_bool(skip), ctypes.byref(text), ctypes.byref(length))
        result = ctypes.string_at(text, length.value).decode()
        self.lib.oclm_free(text)
        return result

    def stream(self, ids, skip):
        stream, text, length = ctypes.c_void_p(), ctypes.c_char_p(), ctypes.c_size_t()
        self.call("oclm_token_stream_new", self.handle, ctypes.c_bool(skip), ctypes.byref(stream))
        steps = []
        for number in ids:
            text = ctypes.c_void_p()
            self.call("oclm_token_stream_push", stream, ctypes.c_int32(number), ctypes.byref(text), ctypes.byref(length))
            steps.append(ctypes.string_at(text, length.value).decode() or None)
        self.lib.oclm_token_stream_free(stream)
        return steps


SPACES = " \t\n\r\x0b\x0c\x1c\x1f\x85\xa0\u1680\u2000\u2003\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\ufeff\u2060"
PIECES = ["'s", "'S", "'t", "'RE", "'ve", "'m", "'lL", "'d", "'\u017f", "'\u212a", "don't", "I'LL", "''s", "\u2019s", "'", "''", "\r\n", "\n\n", "  ", " \n ",
          "\t\t", " ", "   \n  x", "0", "12", "345", "6789", "½", "²", "Ⅷ", "٣", "१२३", "\U00011de3", "\U0001d7d9", "a", "The", " the", "hello", " world", "ÀÉ",
          "日本", "語", "한글", "Ω", "ß", "ﬁ", "é", "e\u0301", "a\u0308\u0323", "\u0301", "\u0323\u0301", "\u1100\u1161\u11a8", "\u212b", "\U00011935\U00011930", "\U00010d24\U000105d2\u0307",
          "\u0958", "\u0344", "!", "?!", "...", "--", "//", "/*", "*/", "{", "}", "()", "->", "$", "€", "_", "😀", "👩‍💻", "🇫🇷", "👍🏽", "\u200d", "\ufe0f", "\x00", "\x7f",
          "\ufffd", "\U0010ffff", "\ue000", "\U0001fae8", "\u1c89", "\U00031350", "<|", "|>", "<", ">", "[", "Ġ", "Ċ"]
PLANES = [(0x20, 0x7F), (0xA0, 0x250), (0x250, 0x1000), (0x1000, 0x2000), (0x2000, 0x3000), (0x3000, 0xA000), (0xA000, 0xD800), (0xE000, 0x10000),
          (0x10000, 0x20000), (0x20000, 0x40000), (0xE0000, 0xE0200), (0x40000, 0x110000)]
WORDS = "once upon a time there was an old tokenizer that split every word into pieces and joined them again without loss".split()


def random_text(r, added):
    kind = r.randrange(8)
    if kind == 0:
        return "".join(chr(r.randrange(*r.choice(PLANES))) for _ in range(r.randrange(1, 30)))
    if kind == 1:
        low, high = r.choice(PLANES)
        return "".join(chr(r.randrange(low, high)) for _ in range(r.randrange(1, 20)))
    if kind == 2:
        return "".join(r.choice(SPACES + "ab1.\n ") for _ in range(r.randrange(1, 40)))
    if kind == 3:
        return r.choice([" ", "", "\n"]).join(r.choice(WORDS + PIECES) for _ in range(r.randrange(1, 25)))
    if kind == 4:
        return "".join(r.choice(PIECES + added) for _ in range(r.randrange(1, 16)))
    if kind == 5:
        return bytes(r.randrange(256) for _ in range(r.randrange(1, 40))).decode("utf-8", "replace")
    if kind == 6:
        return "".join(r.choice([r.choice(WORDS), r.choice(PIECES), r.choice(SPACES), chr(r.randrange(*r.choice(PLANES)))]) for _ in range(r.randrange(1, 60)))
    return r.choice(PIECES) * r.randrange(1, 60) + r.choice(PIECES)


def compare(reference, ours, count, seed):
    r = random.Random(seed)
    added = [token.content for token in reference.get_added_tokens_decoder().values()][:300] or [""]
    size = ours.lib.oclm_tokenizer_vocab_size(ours.handle)
    wrong = {"ids": 0, "ids with special tokens": 0, "decoded": 0, "decoded without special tokens": 0, "random ids": 0, "steps of streams": 0}

    def check(what, text, got, want):
        if got != want:
            wrong[what] += 1
            if wrong[what] <= 3:
                print(f"{what}: {text!r}: {got!r}, want {want!r}")

    for n in range(count):
        text = random_text(r, added)
        ids, special = reference.encode(text, add_special_tokens=False).ids, reference.encode(text).ids
        check("ids", text, ours.encode(text, False), ids)
        check("ids with special tokens", text, ours.encode(text, True), special)
        check("decoded", text, ours.decode(ids, False), reference.decode(ids, skip_special_tokens=False))
        check("decoded without special tokens", text, ours.decode(special, True), reference.decode(special, skip_special_tokens=True))
        if n % 4 == 0:
            ids = [r.randrange(size + 20) for _ in range(r.randrange(30))]
            skip = bool(r.randrange(2))
            check("random ids", ids, ours.decode(ids + [-1, 2**31 - 1, -2**31], skip), reference.decode(ids, skip_special_tokens=skip))
            stream, want = DecodeStream(skip_special_tokens=skip), []
            ids = ids if r.randrange(2) else reference.encode(text).ids[r.randrange(3):]
            try:
                for number in ids:
                    want.append(stream.step(reference, number))
            except Exception:  # where the reference's stream fails ours goes on
                ids = ids[:len(want)]
            check("steps of streams", ids, ours.stream(ids, skip), want)
    return wrong


def best_of(rounds, function):
    best, result = None, None
    for _ in range(rounds):
        start = time.perf_counter()
        result = function()
        seconds = time.perf_counter() - start
        best = seconds if best is None else min(best, seconds)
    return best, result


def speed(folder, files):
    load, reference = best_of(3, lambda: load_reference(folder))
    for name in files:
        text = pathlib.Path(name).read_text("utf-8")
        size = len(text.encode())
        calls = [text[i:i + 500] for i in range(0, len(text), 500)]
        short, _ = best_of(5, lambda: [len(reference.encode(call, add_special_tokens=False)) for call in calls])
        whole, encoding = best_of(5, lambda: reference.encode(text, add_special_tokens=False))
        decode, _ = best_of(5, lambda: reference.decode(encoding.ids, skip_special_tokens=False))
        print(json.dumps({"file": name, "bytes": size, "ids": len(encoding.ids), "load_s": round(load, 3), "encode_mb_per_s": round(size / whole / 1e6, 2),
                          "encode_500_mb_per_s": round(size / short / 1e6, 2), "decode_mb_per_s": round(size / decode / 1e6, 2)}))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--library", help="liboclm.so")
    p.add_argument("--count", type=int, default=20000, help="texts a tokenizer")
    p.add_argument("--seed", type=int, default=20)
    p.add_argument("--speed", action="store_true")
    p.add_argument("paths", nargs="+")
    a = p.parse_args()
    if a.speed:
        speed(a.paths[0], a.paths[1:])
        return
    failed = False
    for folder in a.paths:
        wrong = compare(load_reference(folder), Ours(a.library, folder), a.count, a.seed)
        failed |= any(wrong.values())
        print(f"{folder}: {a.count} texts, tokenizers {tokenizers.__version__}, differing: {wrong}")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
