#!/usr/bin/env python3
"""Writes runtime/tokenizer/unicode_table.c: what the tokenizer must know of every Unicode code point.

The reference (Hugging Face's tokenizers 0.23) mixes Unicode versions, and so does the table:
  general categories, White_Space   16.0  (its regex engine, Oniguruma)
  numbers for Digits                17.0  (Rust's char::is_numeric)
  normalisation                      9.0  (its normaliser; newer code points take no part)

Needs: unicodedata2 16.0 from PyPI, and perl with Unicode 9.0 or later for the ages:
  python3 -m venv v && v/bin/pip install unicodedata2==16.0.0 && v/bin/python scripts/make_unicode_table.py
"""
import pathlib
import subprocess

import unicodedata2 as unicode

if unicode.unidata_version != "16.0.0":
    raise SystemExit(f"unicodedata2 holds Unicode {unicode.unidata_version}; install unicodedata2==16.0.0")

BLOCK = 128
END = 0x110000
CATEGORIES = "Cn Cc Cf Co Cs Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs".split()
LETTER, NUMBER, SPACE, OTHER, MARK, WORD, OLD, INERT, DIGIT = (1 << bit for bit in range(5, 14))

# Unicode 17.0 has 13 numbers that 16.0 has not (unicodedata2 17.0.0 minus 16.0.0).
NEW_NUMBERS = {*range(0x11DE0, 0x11DEA), *range(0x16FF4, 0x16FF7)}


def ages():
    """The code points that Unicode 9.0 knows."""
    program = r'for my $c (0..0x10FFFF) { next if $c >= 0xD800 && $c < 0xE000; print "$c\n" if chr($c) =~ /\p{Present_In: 9.0}/ }'
    return {int(line) for line in subprocess.run(["perl", "-e", program], check=True, capture_output=True).stdout.split()}


def seconds(old):
    """Code points that a character before them may absorb when composing."""
    found = set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    for c in old:
        parts = unicode.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            pair = "".join(chr(int(part, 16)) for part in parts)
            if unicode.normalize("NFC", pair) == chr(c):
                found.add(int(parts[1], 16))
    return found


def classes():
    old = ages()
    absorbed = seconds(old)
    table = []
    for c in range(END):
        char = chr(c)
        category = unicode.category(char)
        space = category[0] == "Z" or 9 <= c <= 13 or c == 0x85
        value = CATEGORIES.index(category)
        value |= LETTER * (category[0] == "L") | NUMBER * (category[0] == "N") | MARK * (category[0] == "M") | SPACE * space
        value |= OTHER * (category[0] not in "LN" and not space)
        # Rust's \w: Alphabetic, M, Nd, Pc, Join_Control. Alphabetic beyond L, M, Nl: circled and squared letters.
        circled = 0x24B6 <= c <= 0x24E9 or 0x1F130 <= c <= 0x1F149 or 0x1F150 <= c <= 0x1F169 or 0x1F170 <= c <= 0x1F189
        value |= WORD * (category[0] in "LM" or category in ("Nl", "Nd", "Pc") or circled or c in (0x200C, 0x200D))
        value |= DIGIT * (category[0] == "N" or c in NEW_NUMBERS)
        value |= OLD * (c in old)
        surrogate = 0xD800 <= c < 0xE000
        alone = surrogate or c not in old or (
            unicode.combining(char) == 0 and unicode.normalize("NFC", char) == char and c not in absorbed)
        value |= INERT * alone
        table.append(value)
    return table


def rows(numbers):
    line = "   "
    for number in numbers:
        word = f" {number},"
        if len(line) + len(word) > 118:
            yield line
            line = "   "
        line += word
    yield line


def main():
    table = classes()
    blocks, index = [], []
    for start in range(0, END, BLOCK):
        block = tuple(table[start:start + BLOCK])
        if block not in blocks:
            blocks.append(block)
        index.append(blocks.index(block))
    out = [
        "/* unicode_table.c: the class of every code point, in two levels. Made by scripts/make_unicode_table.py; do not edit.",
        " * General categories and White_Space of Unicode 16.0, numbers of 17.0 for TOK_DIGIT, code points of 9.0 for",
        " * normalisation (see unicode.h). */",
        '#include "tokenizer/unicode.h"',
        "",
        f"const uint{16 if len(blocks) > 256 else 8}_t tok_class_block[{len(index)}] = {{", *rows(index), "};", "",
        f"const uint16_t tok_classes[{len(blocks)} * TOK_CLASS_BLOCK] = {{", *rows(n for block in blocks for n in block), "};", "",
    ]
    target = pathlib.Path(__file__).resolve().parent.parent / "runtime" / "tokenizer" / "unicode_table.c"
    target.write_text("\n".join(out), "ascii")
    count = lambda bit: sum(bool(value & bit) for value in table)
    print(f"{target.name}: {len(blocks)} blocks; letters {count(LETTER)}, numbers {count(NUMBER)}, white space {count(SPACE)}, "
          f"word {count(WORD)}, digits {count(DIGIT)}, of Unicode 9.0 {count(OLD)}, inert {count(INERT)}")


if __name__ == "__main__":
    main()
