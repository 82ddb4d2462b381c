#!/usr/bin/env python3
"""Writes runtime/tokenizer/unicode_table.c: what the tokenizer must know of every Unicode code point.

The reference (Hugging Face's tokenizers 0.23) mixes Unicode versions, and so does the table:
  general categories, White_Space   16.0  (its regex engine, Oniguruma)
  scripts                           16.0  (the same; UnicodeScripts uses those that 9.0 knows)
  numbers for Digits                17.0  (Rust's char::is_numeric)
  lower case                        17.0  (Rust's char::to_lowercase)
  normalisation                      9.0  (its normaliser; newer code points take no part)
  punctuation, control, marks        8.0  (for Punctuation and BertNormalizer)

Needs: unicodedata2 and fontTools with 16.0 from PyPI, and perl with Unicode 9.0 or later for the ages:
  python3 -m venv v && v/bin/pip install unicodedata2==16.0.0 fonttools==4.60.1 && v/bin/python scripts/make_unicode_table.py
"""
import pathlib
import subprocess

import unicodedata2 as unicode
from fontTools.unicodedata import Scripts

if unicode.unidata_version != "16.0.0":
    raise SystemExit(f"unicodedata2 holds Unicode {unicode.unidata_version}; install unicodedata2==16.0.0")

BLOCK = 128
END = 0x110000
CATEGORIES = "Cn Cc Cf Co Cs Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs".split()
LETTER, NUMBER, SPACE, OTHER, MARK, WORD, OLD, INERT, DIGIT, PUNCTUATION, AGE_8 = (1 << bit for bit in range(5, 16))

# Unicode 17.0 has 13 numbers that 16.0 has not (unicodedata2 17.0.0 minus 16.0.0).
NEW_NUMBERS = {*range(0x11DE0, 0x11DEA), *range(0x16FF4, 0x16FF7)}

# U+166D and U+111C9 were punctuation in Unicode 8.0.
OLD_PUNCTUATION = {0x166D, 0x111C9}

# Marks that are Alphabetic in Unicode 16.0 and not in perl's 14.0.
NEW_ALPHABETIC_MARKS = [(0x363, 0x36F), (0x897, 0x897), (0xC04, 0xC04), (0xCF3, 0xCF3), (0xF82, 0xF83), (0x1DD3, 0x1DE6), (0x10D69, 0x10D69), (0x10EFC, 0x10EFC),
                        (0x11080, 0x11081), (0x11241, 0x11241), (0x113B8, 0x113C0), (0x113C2, 0x113C2), (0x113C5, 0x113C5), (0x113C7, 0x113CA), (0x113CC, 0x113CD),
                        (0x11F00, 0x11F01), (0x11F03, 0x11F03), (0x11F34, 0x11F3A), (0x11F3E, 0x11F40), (0x1611E, 0x1612E), (0x1E08F, 0x1E08F)]

# Lower case beyond Python 3.11's Unicode 14.0: first, last, distance between them, distance to the lower case.
NEW_LOWER = [(0x1C89, 0x1C89, 1, 1), (0xA7CB, 0xA7CB, 1, 0x264 - 0xA7CB), (0xA7CC, 0xA7CE, 2, 1), (0xA7D2, 0xA7D4, 2, 1), (0xA7DA, 0xA7DA, 1, 1),
             (0xA7DC, 0xA7DC, 1, 0x19B - 0xA7DC), (0x10D50, 0x10D65, 1, 32), (0x16EA0, 0x16EB8, 1, 27)]


def with_property(expression):
    """The code points that perl's expression matches."""
    program = r'for my $c (0..0x10FFFF) { next if $c >= 0xD800 && $c < 0xE000; print "$c\n" if chr($c) =~ /EXPRESSION/ }'
    lines = subprocess.run(["perl", "-e", program.replace("EXPRESSION", expression)], check=True, capture_output=True).stdout.split()
    return {int(line) for line in lines}


def present_in(version):
    """The code points that a version of Unicode knows."""
    return with_property(r"\p{Present_In: %s}" % version)


def alphabetic_marks():
    """(first, last)"""
    marks = with_property(r"(?=\p{M})\p{Alphabetic}") | {c for first, last in NEW_ALPHABETIC_MARKS for c in range(first, last + 1)}
    if len(marks) != 1365:
        raise SystemExit(f"{len(marks)} marks are alphabetic, 1365 are right: use perl with Unicode 14.0")
    ranges = []
    for c in sorted(marks):
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1] = (ranges[-1][0], c)
        else:
            ranges.append((c, c))
    return ranges


def lower_ranges():
    """(first, last, step, distance): of every step-th code point. U+0130 has two and is left out."""
    lower = {}
    for first, last, step, distance in NEW_LOWER:
        lower.update({c: distance for c in range(first, last + 1, step)})
    for c in range(END):
        if not 0xD800 <= c < 0xE000 and c != 0x130 and chr(c).lower() != chr(c):
            lower[c] = ord(chr(c).lower()) - c
    if len(lower) != 1487:
        raise SystemExit(f"{len(lower)} code points have a lower case, 1487 are right: use another Python")
    ranges = []
    for c, distance in sorted(lower.items()):
        if ranges and ranges[-1][3] == distance:
            first, last, step, _ = ranges[-1]
            if c - last in (1, 2) and step in (0, c - last):
                ranges[-1] = (first, c, c - last, distance)
                continue
        ranges.append((c, c, 0, distance))
    return [(first, last, step or 1, distance) for first, last, step, distance in ranges]


def script_starts():
    """Where another script begins, and the scripts' names; number 0 is Unknown."""
    names = ["Zzzz"] + sorted(set(Scripts.VALUES) - {"Zzzz"})
    starts = [(start, names.index(value)) for start, value in zip(Scripts.RANGES, Scripts.VALUES)]
    kept = [pair for i, pair in enumerate(starts) if i == 0 or pair[1] != starts[i - 1][1]]
    return kept, [Scripts.NAMES[name] for name in names], names


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
    old, older = present_in("9.0"), present_in("8.0")
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
        ascii = 0x21 <= c <= 0x7E and not char.isalnum()
        value |= PUNCTUATION * (ascii or c in OLD_PUNCTUATION or category[0] == "P" and c in older)
        value |= AGE_8 * (c in older)
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
    if len(blocks) > 512:
        raise SystemExit(f"{len(blocks)} blocks, more than TOK_CLASS_MAX_BLOCKS")
    out = [
        "/* unicode_table.c: the class of every code point, in two levels. Made by scripts/make_unicode_table.py; do not edit.",
        " * General categories, White_Space and scripts of Unicode 16.0, numbers of 17.0 for TOK_DIGIT, code points of 9.0 for",
        " * normalisation, of 8.0 for punctuation (see unicode.h). */",
        '#include "tokenizer/unicode.h"',
        "",
        f"const uint{16 if len(blocks) > 256 else 8}_t tok_class_block[{len(index)}] = {{", *rows(index), "};", "",
        f"const uint16_t tok_classes[{len(blocks)} * TOK_CLASS_BLOCK] = {{", *rows(n for block in blocks for n in block), "};", "",
    ]
    lower = lower_ranges()
    out += [f"const tok_lower_range tok_lower_ranges[{len(lower)}] = {{", *rows("{ %d, %d, %d, %d }" % entry for entry in lower), "};",
            f"const size_t tok_lower_range_count = {len(lower)};", ""]
    marks = alphabetic_marks()
    out += [f"const tok_range tok_alphabetic_marks[{len(marks)}] = {{", *rows("{ %d, %d }" % entry for entry in marks), "};",
            f"const size_t tok_alphabetic_mark_count = {len(marks)};", ""]
    starts, names, codes = script_starts()
    out += ["/* Code point << 8 | script */", f"const uint32_t tok_script_starts[{len(starts)}] = {{", *rows(start << 8 | script for start, script in starts), "};",
            f"const size_t tok_script_start_count = {len(starts)};", "",
            f"const char *const tok_script_names[{len(names)}] = {{", *rows(f'"{name}"' for name in names), "};",
            f"const char *const tok_script_codes[{len(names)}] = {{", *rows(f'"{code}"' for code in codes), "};",
            f"const size_t tok_script_count = {len(names)};", ""]
    target = pathlib.Path(__file__).resolve().parent.parent / "runtime" / "tokenizer" / "unicode_table.c"
    target.write_text("\n".join(out), "ascii")
    count = lambda bit: sum(bool(value & bit) for value in table)
    print(f"{target.name}: {len(blocks)} blocks; letters {count(LETTER)}, numbers {count(NUMBER)}, white space {count(SPACE)}, "
          f"word {count(WORD)}, digits {count(DIGIT)}, of Unicode 9.0 {count(OLD)}, inert {count(INERT)}, punctuation {count(PUNCTUATION)}; "
          f"{len(lower)} ranges with lower case, {len(starts)} ranges of {len(names)} scripts")


if __name__ == "__main__":
    main()
