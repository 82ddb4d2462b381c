#!/usr/bin/env python3
"""Compares oclm's tokenizer with Hugging Face's on random texts and ids. Needs `pip install tokenizers`; compare.sh sees to it.

  compare_with_reference.py --library build/liboclm.so [--count N] [--small-count N] [--shared DIR] [MODEL-FOLDER...]

Compared are the folders, the tokenizers of this repository (GPT-2, --count texts, and those of data/*.jsonl.xz, --small-count each) and
of DIR/data/tokenizers/*.tar.xz: ids, texts, streams.
"""
import argparse
import ctypes
import json
import lzma
import pathlib
import random
import tarfile
import tempfile
import time

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from tokenizers.decoders import DecodeStream

from random_texts import random_text

DATA = pathlib.Path(__file__).resolve().parent / "data"


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
        self.call("oclm_tokenizer_load", str(folder).encode(), None, ctypes.byref(self.handle))

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


def attempt(function, *arguments):
    """Its result, or the failure as a value."""
    try:
        return function(*arguments)
    except RuntimeError as error:
        return error


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
        try:
            ids, special = reference.encode(text, add_special_tokens=False).ids, reference.encode(text).ids
        except Exception:  # it has no unknown token
            if not isinstance(attempt(ours.encode, text, False), RuntimeError):
                check("ids", text, ours.encode(text, False), "a failure")
            continue
        check("ids", text, attempt(ours.encode, text, False), ids)
        check("ids with special tokens", text, attempt(ours.encode, text, True), special)
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


def unpack(archive, folder):
    """The tokenizer alone: what other files of a model say is not compared here."""
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            name = pathlib.PurePosixPath(member.name).name
            if member.isfile() and name in ("tokenizer.json", "vocab.json", "merges.txt"):
                (folder / name).write_bytes(tar.extractfile(member).read())


def folders(a, scratch):
    """Label, folder and number of texts of everything to compare."""
    for path in a.paths:
        yield str(path), path, a.count
    archives = [DATA / "gpt2.tar.xz"] if a.count else []
    if a.shared and a.count:
        archives += sorted(path for path in (pathlib.Path(a.shared) / "data" / "tokenizers").glob("*.tar.xz") if path.name != "gpt2.tar.xz")
    for archive in archives:
        name = archive.name.split(".")[0]
        folder = scratch / name
        folder.mkdir()
        unpack(archive, folder)
        yield name, folder, a.count
    for file in sorted(DATA.glob("*.jsonl.xz")) if a.small_count else []:
        for number, line in enumerate(lzma.open(file, "rt", encoding="utf-8")):
            each = json.loads(line)
            if "tokenizer" not in each:
                break
            folder = scratch / f"{file.name}-{number}"
            folder.mkdir()
            (folder / "tokenizer.json").write_text(each["tokenizer"], "utf-8")
            yield f"{file.name}: {each['label']}", folder, a.small_count


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--library", required=True, help="liboclm.so")
    p.add_argument("--count", type=int, default=5000, help="texts a tokenizer")
    p.add_argument("--small-count", type=int, default=100, help="texts a small tokenizer")
    p.add_argument("--seed", type=int, default=20)
    p.add_argument("--shared", help="a folder with data/tokenizers/*.tar.xz")
    p.add_argument("paths", nargs="*", help="folders of models")
    a = p.parse_args()
    failed, tokenizer_count, text_count = [], 0, 0
    with tempfile.TemporaryDirectory(prefix="oclm-compare-") as scratch:
        for label, folder, count in folders(a, pathlib.Path(scratch)):
            start = time.monotonic()
            wrong = compare(load_reference(folder), Ours(a.library, folder), count, a.seed)
            tokenizer_count += 1
            text_count += count
            if any(wrong.values()):
                failed.append(label)
            if any(wrong.values()) or count == a.count:
                print(f"{label}: {count} texts in {time.monotonic() - start:.0f} s, differing: {wrong}", flush=True)
    print(f"{tokenizer_count} tokenizers, {text_count} texts, tokenizers {tokenizers.__version__}: {len(failed)} differ")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
