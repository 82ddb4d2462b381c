"""One small tokenizer for each normalizer, pre-tokenizer and combination: for make_components_golden.py and compare_components.py.

Their model knows single bytes only, and has another id for the byte that begins a piece: so ids show every byte of the normal
form and every cut between pieces.
"""

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def byte_chars():
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = iter(range(256, 512))
    return [chr(b) if b in visible else chr(next(rest)) for b in range(256)]


CHARS = byte_chars()


def pieces(ids):
    """What ids say: a list of pieces."""
    found = []
    for number in ids:
        if number < 256 or not found:
            found.append(b"")
        found[-1] += bytes([number % 256]) if number < 512 else f"<{number}>".encode()
    return [piece.decode("utf-8", "backslashreplace") for piece in found]


def model():
    vocab = {char: i for i, char in enumerate(CHARS)} | {"##" + char: 256 + i for i, char in enumerate(CHARS)}
    return {"type": "BPE", "continuing_subword_prefix": "##", "vocab": vocab, "merges": []}


def tokenizer(pre=(), normalizer=None, tokens=()):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": list(tokens), "normalizer": normalizer,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*pre, BYTE_LEVEL]}, "post_processor": None, "decoder": None, "model": model()}


def sequence(*members):
    return {"type": "Sequence", "normalizers": list(members)}


def added(content, flags=""):
    return {"id": 0, "content": content, "single_word": "w" in flags, "lstrip": "l" in flags, "rstrip": "r" in flags,
            "normalized": "n" in flags, "special": "s" in flags}


# Texts beside the random ones: what components treat specially.
PIECES = ["the-final--countdown-", "--", "-", "   ", "x x", "xx", "İ", "ΑΣ", "ǅ", "ﬀ", "①", "㍿", "Å", "ｶﾞ", "\u0345", "\u00ad", "\u200b", "\u2060", "\ufeff", "\u3000", "▁", "▁▁a",
          "日本語", "ひらがな", "カタカナー", "한국어", "Ⅷ", "½", "٣", "$5", "`~`", "«»", "‿", "Ⓐ", "\u1f88", "ﬃ", "\u0130\u0307", "\U0001e900", "\u0344", "ﷺ", "\U0001d15e"]

BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")


def normalizers():
    yield "Prepend", {"type": "Prepend", "prepend": "▁"}
    for label, pattern in (("a string", {"String": "-"}), ("two characters", {"String": "xx"}), ("nothing", {"String": ""}), ("a space", {"String": " "})):
        yield f"Replace {label}", {"type": "Replace", "pattern": pattern, "content": "▁"}
    yield "Replace by nothing", {"type": "Replace", "pattern": {"String": "a"}, "content": ""}
    yield "Prepend, Replace", sequence({"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"})


def pre_tokenizers():
    for behavior in BEHAVIORS:
        for invert in (False, True):
            for label, pattern in (("-", {"String": "-"}), ("nothing", {"String": ""})):
                yield f"Split by {label}, {behavior}, {invert}", [{"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}]


def configs():
    """(label, tokenizer.json as a tree)"""
    for label, config in normalizers():
        yield label, tokenizer(normalizer=config)
    for label, config in pre_tokenizers():
        yield label, tokenizer(config)
