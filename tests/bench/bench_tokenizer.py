#!/usr/bin/env python3
"""oclm's tokenizer beside Hugging Face's, one thread each, in one run: a table of MB/s and their ratio. Needs `pip install tokenizers`.

  bench_tokenizer.py --bench build/release/tests/bench/bench_tokenizer [--texts FOLDER] [--rounds 5] MODEL-FOLDER...

Texts are made by make_texts.py unless --texts has some. Each line is the best of the rounds; the two take turns, a round each, so that what
else the machine does meets both. The last table is the seconds of one word of 1 MB.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

os.environ.update(RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tokenizer"))
from compare_with_reference import load_reference  # noqa: E402

MEASURES = {"encode_mb_per_s": "encode", "encode_500_mb_per_s": "encode, 500 characters a call", "decode_mb_per_s": "decode"}


def seconds(function):
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def reference_round(folder, files):
    """What bench_tokenizer prints, for the reference."""
    load, reference = seconds(lambda: load_reference(folder))
    for name in files:
        text = pathlib.Path(name).read_text("utf-8")
        size = len(text.encode())
        calls = [text[i:i + 500] for i in range(0, len(text), 500)]
        short, _ = seconds(lambda: [len(reference.encode(call, add_special_tokens=False)) for call in calls])
        whole, encoding = seconds(lambda: reference.encode(text, add_special_tokens=False))
        ids = encoding.ids
        decode, decoded = seconds(lambda: reference.decode(ids, skip_special_tokens=False))
        yield {"file": name, "ids": len(ids), "load_s": load, "encode_mb_per_s": size / whole / 1e6, "encode_500_mb_per_s": size / short / 1e6,
               "decode_mb_per_s": len(decoded.encode()) / decode / 1e6}


def our_round(bench, folder, files):
    output = subprocess.run([bench, "--rounds", "1", folder, *files], check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def merge(best, line):
    for key, value in line.items():
        if key != "file":
            best[key] = min(best.get(key, value), value) if key == "load_s" else max(best.get(key, value), value)


def words(folder):
    """Files of one word of 1 MB each."""
    r = random.Random(20)
    letters = {"letters": "".join(r.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(1 << 20)), "aaaa": "a" * (1 << 20), "spaces": " " * (1 << 20),
               "emoji": "😀" * (1 << 18), "CJK": "".join(chr(r.randrange(0x4E00, 0x9FA6)) for _ in range((1 << 20) // 3)), "digits": "7" * (1 << 20), "newlines": "\n" * (1 << 20)}
    for name, text in letters.items():
        (folder / name).write_text(text, "utf-8")
    return list(letters)


def compare(bench, folder, files, rounds):
    ours, theirs = {}, {}
    for _ in range(rounds):
        for line in our_round(bench, folder, files):
            merge(ours.setdefault(line["file"], {}), line)
        for line in reference_round(folder, files):
            merge(theirs.setdefault(line["file"], {}), line)
    name = pathlib.Path(folder).name
    ours_load, theirs_load = (min(line["load_s"] for line in lines.values()) for lines in (ours, theirs))
    print(f"| {name} | | load, s | {ours_load:.3f} | {theirs_load:.3f} | {theirs_load / ours_load:.1f} |")
    for file in files:
        for key, label in MEASURES.items():
            mine, other = ours[file][key], theirs[file][key]
            print(f"| {name} | {pathlib.Path(file).stem} | {label}, MB/s | {mine:.1f} | {other:.2f} | {mine / other:.1f} |")
        if ours[file]["ids"] != theirs[file]["ids"]:
            print(f"| {name} | {pathlib.Path(file).stem} | NOT THE SAME IDS | {ours[file]['ids']} | {theirs[file]['ids']} | |")
    sys.stdout.flush()


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bench", required=True, help="bench_tokenizer")
    p.add_argument("--texts", help="folder with english.txt, languages.txt, code.txt")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("folders", nargs="+")
    a = p.parse_args()
    with tempfile.TemporaryDirectory(prefix="oclm-bench-") as scratch:
        texts = pathlib.Path(a.texts or scratch)
        if not a.texts:
            subprocess.run([sys.executable, str(HERE / "make_texts.py"), scratch], check=True, capture_output=True)
        files = [str(texts / f"{name}.txt") for name in ("english", "languages", "code")]
        print("| tokenizer | text | what | oclm | tokenizers | ratio |\n|---|---|---|---|---|---|")
        for folder in a.folders:
            compare(a.bench, folder, files, a.rounds)
        names = words(pathlib.Path(scratch))
        print("\n| s for a word of 1 MB | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
        for folder in a.folders:
            lines = our_round(a.bench, folder, [str(pathlib.Path(scratch) / name) for name in names])
            print(f"| {pathlib.Path(folder).name} | " + " | ".join(f"{line['bytes'] / line['encode_mb_per_s'] / 1e6:.3f}" for line in lines) + " |")


if __name__ == "__main__":
    main()
