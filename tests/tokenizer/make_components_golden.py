#!/usr/bin/env python3
"""Writes data/components.jsonl.xz: what Hugging Face's tokenizers make of every normalizer and pre-tokenizer (components.py).

A line is {"label", "tokenizer": a tokenizer.json as text, "cases": [{"text", "ids", "offsets": [begin, end, begin, ...] in bytes}]};
a text with U+0000 is in hexadecimal under "text_hex". Needs `pip install tokenizers==0.23.3`; the seed is fixed, the same version
gives the same bytes.
"""
import json
import lzma
import pathlib
import random

from tokenizers import Tokenizer

import components
from random_texts import random_text

SEED = 20
RANDOM_TEXTS = 24
TEXTS = ["", " ", "Hello, world!", "the-final--countdown-", "  two  spaces ", "İstanbul ΑΣ ﬁn ½ Ⅷ", "e\u0301 a\u0308\u0323 \u212b \u1100\u1161\u11a8", "日本語 ひらがな カタカナー 한국어", "don't WE'LL x'ſ 12345",
         "a\u200db\u00adc\u0000d\u007fe\ufffdf\u0085g\u1680h\u2028i\u3000j\ufeffk", "<s> hello <l> <r>  日本", "ABcDE日Afg ǅa ʰb", "//\r\n x\n\n  y\r", "$5 «a» `b` ~c~ ‿", "\U00011935\U00011930 \u0958 \u0344 ﷺ",
         "\r\n\r\n  a", "👩\u200d💻🇫🇷"]


def byte_places(text):
    places = [0]
    for char in text:
        places.append(places[-1] + len(char.encode()))
    return places


def case(tokenizer, text):
    encoding, places = tokenizer.encode(text, add_special_tokens=False), byte_places(text)
    line = {"text": text, "ids": encoding.ids, "offsets": [places[at] for span in encoding.offsets for at in span]}
    if chr(0) in text:
        line["text_hex"] = text.encode().hex()
        line["text"] = ""
    return line


def cases(tokenizer, label, tokens):
    r = random.Random(SEED)
    own = [token["content"] for token in tokens]
    texts = TEXTS + [random_text(r, components.PIECES + own) for _ in range(RANDOM_TEXTS)]
    texts = dict.fromkeys(texts + ["".join(r.choice(own + list(" \nabé日")) for _ in range(8)) for _ in range(16 if own else 0)])
    for text in texts:
        try:
            yield case(tokenizer, text)
        except BaseException as error:  # a panic of the reference
            print(f"{label}: the reference fails at {text!r}: {error}")


def main():
    lines = []
    for label, config in components.configs():
        text = json.dumps(config, ensure_ascii=False)
        line = {"label": label, "tokenizer": text, "cases": list(cases(Tokenizer.from_str(text), label, config["added_tokens"]))}
        lines.append(json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n")
    packed = lzma.compress("".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME)
    path = pathlib.Path(__file__).resolve().parent / "data" / "components.jsonl.xz"
    path.write_bytes(packed)
    print(f"{path.name}: {len(lines)} tokenizers, {sum(map(len, lines))} bytes, packed {len(packed)}")


if __name__ == "__main__":
    main()
