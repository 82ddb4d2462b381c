#!/usr/bin/env python3
"""Writes runtime/tokenizer/chat/case_table.h: characters whose upper or title case is more than one character, by this Python's Unicode.

usage: make_case_table.py > runtime/tokenizer/chat/case_table.h
"""
import sys
import unicodedata


def cells(text):
    return "{ " + ", ".join(f"0x{ord(c):04X}" for c in text.ljust(3, "\0")).replace("0x0000", "0") + " }"


def main():
    print(f"/* case_table.h: made by scripts/make_case_table.py (Unicode {unicodedata.unidata_version}): letters that become several. */")
    print("#ifndef OCLM_TOKENIZER_CHAT_CASE_TABLE_H\n#define OCLM_TOKENIZER_CHAT_CASE_TABLE_H\n\n#include <stdint.h>\n")
    print("typedef struct case_row {\n    uint32_t c, upper[3], title[3]; /* 0: no more */\n} case_row;\n")
    print("static const case_row case_rows[] = {")
    for code in range(sys.maxunicode + 1):
        c = chr(code)
        if len(c.upper()) > 1 or len(c.title()) > 1:
            print(f"    {{ 0x{code:04X}, {cells(c.upper())}, {cells(c.title())} }},")
    print("};\n\n#endif")


main()
