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
PIECES = ["<s>", "<l>", "<r>", "hello", "<s", "日", "the-final--countdown-", "--", "-", "   ", "x x", "xx", "İ", "ΑΣ", "ǅ", "ﬀ", "①", "㍿", "Å", "ｶﾞ", "\u0345", "\u00ad", "\u200b", "\u2060", "\ufeff", "\u3000", "▁", "▁▁a",
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
        yield f"Punctuation, {behavior}", [{"type": "Punctuation", "behavior": behavior}]
    for name in ("BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Punctuation", "UnicodeScripts"):
        yield name, [{"type": name}]
    for individual in (False, True):
        yield f"Digits {individual}", [{"type": "Digits", "individual_digits": individual}]
    for delimiter in "-a▁é":
        yield f"CharDelimiterSplit {delimiter}", [{"type": "CharDelimiterSplit", "delimiter": delimiter}]
    for length in (1, 3, 5):
        yield f"FixedLength {length}", [{"type": "FixedLength", "length": length}]
    for scheme in ("always", "first", "never"):
        for cut in (False, True):
            yield f"Metaspace {scheme}, {cut}", [metaspace(scheme, cut)]
        yield f"Metaspace {scheme}, after and before others", [{"type": "FixedLength", "length": 3}, metaspace(scheme, True), metaspace("always", False, "_"), {"type": "Punctuation"}]
    yield "Metaspace, an old file's", [{"type": "Metaspace", "replacement": "▁", "add_prefix_space": True, "str_rep": "x"}]
    yield "Metaspace, no space in front", [{"type": "Metaspace", "replacement": "-", "add_prefix_space": False, "prepend_scheme": "never"}]
    for prefix in (False, True):
        for regex in (False, True):
            level = {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}
            yield f"ByteLevel, {prefix}, {regex}", [{"type": "WhitespaceSplit"}, level, {"type": "Digits", "individual_digits": False}]
            yield f"ByteLevel, {prefix}, {regex}, Metaspace behind", [level, metaspace("first", True)]


def metaspace(scheme, cut, replacement="▁"):
    return {"type": "Metaspace", "replacement": replacement, "prepend_scheme": scheme, "split": cut}


def combined():
    tokens = [added("<s>", "s"), added("<l>", "l"), added("<r>", "rn"), added("hello", "n"), added("日", "w")]
    for scheme in ("always", "first", "never"):
        yield f"Metaspace {scheme}, added tokens", [metaspace(scheme, True)], None, tokens
        yield f"Metaspace {scheme}, Prepend, added tokens", [metaspace(scheme, True)], {"type": "Prepend", "prepend": "_"}, tokens
        yield f"Metaspace {scheme}, Replace, added tokens", [{"type": "Punctuation"}, metaspace(scheme, True)], {"type": "Replace", "pattern": {"String": "a"}, "content": ""}, tokens


def configs():
    """(label, tokenizer.json as a tree)"""
    for label, pre, normalizer, tokens in combined():
        yield label, tokenizer(pre, normalizer, tokens)
    for label, config in normalizers():
        yield label, tokenizer(normalizer=config)
    for label, config in pre_tokenizers():
        yield label, tokenizer(config)
