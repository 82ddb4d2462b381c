"""One small tokenizer for each normalizer, pre-tokenizer and combination: for make_components_golden.py and compare_components.py.

Their model knows single bytes only, and has another id for the byte that begins a piece: so ids show every byte of the normal
form and every cut between pieces.
"""
import random

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
PIECES = ["aBC", "ABc", "A", "日A", "ǅa", "ʰA", "A\u0301b", "\u0301A", "x'll", "X'S", "//\n", "<s>", "<l>", "<r>", "hello", "<s", "日", "the-final--countdown-", "--", "-", "   ", "x x", "xx", "İ", "ΑΣ", "ǅ", "ﬀ", "①", "㍿", "Å", "ｶﾞ", "\u0345", "\u00ad", "\u200b", "\u2060", "\ufeff", "\u3000", "▁", "▁▁a",
          "日本語", "ひらがな", "カタカナー", "한국어", "Ⅷ", "½", "٣", "$5", "`~`", "«»", "‿", "Ⓐ", "\u1f88", "ﬃ", "\u0130\u0307", "\U0001e900", "\u0344", "ﷺ", "\U0001d15e"]

# SentencePiece 0.2's trie of 18 rules (normalization_rule_tsv): ﬁ to fi, A to a, e + U+0301 to é, Å, か + U+3099 to ぁ, ① to 1), soft hyphen and U+200B to nothing,
# abc to x, İ, Ａ to A, two jamo, CR LF and CR to LF, two spaces to one, 😀 to :), ﷺ, B + U+0308 to bü.
CHARSMAP = (
    "AAQAAAAwAAANDQAAAQAAgAEAAIAgBQAAAwAAgA0AAIDMGAIACi0AAIgNAAAPAACAYpABAGMFAAAbAACAzAACAIF9AAAgAACArQ0AAAAAAICwHQAAFwAAgIQMAgCAgAMA4SgCAIWAAgCh"
    "DQAAMQAAgIslAACrBQAAHQAAgKAFAAAFAACAgMACAC0AAIDjGAIAgRACAIRMAgCCkAMAglwCAKw8AgCZJQAAgQ0AABQAAIAjAACAICAAALoZAAChBQAACwAAgJ9oAgCRPAIAmAQCAIAd"
    "AAAIAACANAAAADcAAAC84AIAOQAAADgAAAA7AAAAOgAAALesAgA8AAAAPwAAAD4AAABBAAAAQAAAAEMAAABCAAAARQAAAEQAAABHAAAARgAAAEkAAABIAAAASwAAAEoAAABNAAAAQS0B"
    "AEIUAgBOAAAAUQAAAFAAAABTAAAAUgAAAFUAAABUAAAAVwAAAFYAAABZAAAAWAAAAFsAAABaAAAAXQAAAFwAAABfAAAAXgAAAGEAAABgAAAAYwAAAGIAAABlAAAAZAAAAGcAAABmAAAA"
    "aQAAAGWsAgBrAAAAagAAAG0AAABhEAAAbwAAAG4AAABxAAAAcAAAAHMAAAByAAAAdQAAAHQAAAB3AAAAdgAAAHkAAAB4AAAAewAAAHoAAAB9AAAAfAAAAH8AAAB+AAAAgQAAAIAAAACD"
    "AAAAggAAAIUAAACEAAAAhwAAAIYAAACJAAAAiAAAAIsAAACKAAAAjQAAAIwAAACPAAAAjgAAAJEAAACQAAAAkwAAAJIAAACVAAAAlAAAAJcAAACWAAAAmQAAAJgAAACbAAAAmgAAAJ0A"
    "AACcAAAAnwAAAJ4AAAChAAAAoAAAAKMAAACiAAAApQAAAKQAAACnAAAApgAAAKkAAACoAAAAqwAAAKoAAACtAAAArAAAAK8AAACuAAAAsQAAALAAAACzAAAAsgAAALUAAAC0AAAAtwAA"
    "ALYAAAC5AAAAuAAAALsAAAC6AAAAvQAAALwAAAC/AAAAvgAAAMEAAADAAAAAwwAAAMIAAADFAAAAxAAAAMcAAADGAAAAxKwBAMgAAADLAAAAygAAAM0AAADMAAAAwsgBAM4AAADRAAAA"
    "0AAAANMAAADSAAAA1QAAANQAAADXAAAA1gAAANkAAADYAAAA2wAAANoAAADdAAAA3AAAAN8AAADeAAAA4QAAAOAAAADjAAAA76ABAOUAAADkAAAA5wAAAOYAAADpAAAA6AAAAOsAAADq"
    "AAAA7QAAAOHwAQDiOAEA4zQBAPEAAADwAAAA8wAAAPIAAAD1AAAA9AAAAPcAAAD2AAAA+QAAAPgAAAD7AAAA+gAAAPBMAQD8AAAA/wAAAP4AAAAACgAgADEpADopAEEAYQBidcyIAGZp"
    "AGnMhwB4AMOFAMOpANi12YTZiSDYpwDjgYEA6rCAAA=="
)

BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")


def bert(**options):
    return {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": True, "lowercase": True} | options


def normalizers():
    yield "Prepend", {"type": "Prepend", "prepend": "▁"}
    for label, pattern in (("a string", {"String": "-"}), ("two characters", {"String": "xx"}), ("a space", {"String": " "})):
        yield f"Replace {label}", {"type": "Replace", "pattern": pattern, "content": "▁"}
    for pattern in (r"\s+", "l+", r"(?<=l)o", "[aeiou]{2}", r"\p{M}", "^ | $"):  # none may match nothing: the reference fails then
        yield f"Replace {pattern!r}", {"type": "Replace", "pattern": {"Regex": pattern}, "content": "_é"}
    yield "Replace by nothing", {"type": "Replace", "pattern": {"String": "a"}, "content": ""}
    for name in ("NFC", "NFD", "NFKC", "NFKD", "StripAccents", "Lowercase", "Nmt", "ByteLevel"):
        yield name, {"type": name}
    for left in (False, True):
        for right in (False, True):
            yield f"Strip {left}, {right}", {"type": "Strip", "strip_left": left, "strip_right": right}
    yield "BertNormalizer", bert()
    for option in ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase"):
        yield f"BertNormalizer, {option} only", bert(**{name: name == option for name in bert() if name != "type"})
    yield "BertNormalizer, strip_accents null", bert(strip_accents=None, lowercase=False)
    yield "BertNormalizer, its pre-tokenizer's text", bert(strip_accents=False)
    yield "several", sequence({"type": "Nmt"}, {"type": "NFKC"}, {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Lowercase"}, {"type": "NFD"}, {"type": "StripAccents"})
    yield "Prepend, NFKD, Lowercase", sequence({"type": "Prepend", "prepend": "Ⅷ"}, {"type": "NFKD"}, {"type": "Lowercase"})
    yield "ByteLevel, Replace", sequence({"type": "ByteLevel"}, {"type": "Replace", "pattern": {"String": "Ġ"}, "content": "_"})
    yield "Precompiled", {"type": "Precompiled", "precompiled_charsmap": CHARSMAP}
    yield "Prepend, Replace", sequence({"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"})


# Patterns of models in wide use.
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
PREFIX = r"[^\r\n\p{L}\p{N}]?"
DEEPSEEK = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*""" + TAIL)
KNOWN = {
    "GPT-2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "Llama 3": CONTRACTIONS + "|" + PREFIX + r"\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL,
    "Qwen 2": CONTRACTIONS + "|" + PREFIX + r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL,
    "Qwen 3.5": CONTRACTIONS + "|" + PREFIX + r"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + TAIL,
    "o200k": f"{PREFIX}{UPPER}*{LOWER}+{CONTRACTIONS}?|{PREFIX}{UPPER}+{LOWER}*{CONTRACTIONS}?|" + r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL,
    "Tekken": f"{PREFIX}{UPPER}*{LOWER}+|{PREFIX}{UPPER}+{LOWER}*|" + r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL,
    "DeepSeek, digits": r"\p{N}{1,3}",
    "DeepSeek, CJK": "[一-龥぀-ゟ゠-ヿ]+",
    "DeepSeek, the rest": DEEPSEEK,
    "DeepSeek, the rest, line ends as they are": DEEPSEEK.replace(r"\r", "\r").replace(r"\n", "\n"),
}

# Patterns that no scanner serves, and what differs between Oniguruma and PCRE2.
REGEXES = [
    r"\w+|[^\w\s]+", r"\w", r"[\w]", r"\W", r"[^\w]+", r"\d+", r"\D", r"\s", r"\S+", r"\h+", r"[\h]", r"\H", r"\b", r"\B", r"\bt", "[[:punct:]]", "[[:alpha:]]+", "[[:^alnum:]]",
    "[[:lower:]]+", "[[:upper:]]", "[[:word:]]+", "[[:graph:]]", "[[:print:]]", "[[:blank:]]", "[[:cntrl:]]", "[[:xdigit:]]+", "[[:ascii:]]+", r"\p{Punct}", r"\p{PosixPunct}", r"\p{Alpha}",
    r"\p{Alphabetic}+", r"\p{Han}+", r"\p{script_name}?".replace("script_name", "Hira"), r"\p{Latin}+|\p{Cyrillic}+", r"\P{L}", r"\p{^L}", r"\P{^L}", r"\p{Cn}", r"\p{C}", r"\p{LC}", r"\p{Zyyy}",
    r"[\w&&[^\d_]]+", "[a-z&&[^aeiou]]+", "[^a-m&&a-z]", "[a[bc]d]+", "[]a]", "[^]a]", "[a-]", "[a-c-e]", r"[\b]", r"[^\S\r\n]+", r"\R", r"\N+", r"\O", r"\A.", r".\z", r".\Z", "^.", ".$", "^", "$",
    "(?m).", "(?m:.+)", "(?i)the", "(?i:THE)", "t(?i)h|o", "(?i)k", r"(?i)\p{Lu}", r"(?i)[\p{Lu}]", "(?i)[^a]", r"(?i)[^\W_k]+", r"(?i)[^[a-f]&&\w]", "(?i)[a-k&&[^c]]+", r"[\s\S]", r"[^\s\S]", r"(?i)[^\s\S]", "(?-i)a", "(?i:a(?-i)b)", "a{2}", "a{,2}", "l{1,2}+", "l{2}?", "l{1,}?", "l+?", "l++", "l*+o", "(?:l+)*o",
    "l?*", "a**", r"(l)\1", r"(?<x>l)\k<x>", r"(l)\k<1>", r"(?>l|lo)o", "(?<=h)e", "(?<!h)e", "(?=l)", "(?!l)", "(?#comment)l", "l(?#comment)+", "{a}", "l{", "x{2", "}", "]", r"\x41|\x{61}|\u0062", r"\xc3\xa9", r"\141",
    r"\e|\a|\v|\f", r"\ca", r"\-", "", "x*", "(?=b)", "|a", "(a|ab)(c|bcd)?", r"\pL", r"\p{Lu}\p{Ll}*", r"\s+$", r"^\s+", "(?:(?:a|b)|c)+", r"[\p{L}\p{N}]+(?:'[a-z]+)?", r" ?\p{L}+", r"[\x{100}-\x{17f}]",
    r"(?i:[a-k])+", "é+", "[é-ü]", "日|本", r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    r"[^(\s|[.,!?…。，、।۔،])]+", r" ?[^(\s|[.,!?…。，、।۔،])]+", r"\p{N}", r"[0-9][0-9][0-9]", r"\d{1,3}(?=(?:\d{3})*\b)", r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+", r"\s?[^\W\d_]+", r"[\r\n]", r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
    r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-Ֆ]+", r"[一-龥ࠀ-一가-퟿]+", r"\p{Han}+|[^\S\n]",
]


def pre_tokenizers():
    for behavior in BEHAVIORS:
        for invert in (False, True):
            for label, pattern in (("-", {"String": "-"}), ("nothing", {"String": ""})):
                yield f"Split by {label}, {behavior}, {invert}", [{"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}]
            yield f"Split by l*, {behavior}, {invert}", [{"type": "Split", "pattern": {"Regex": "l*"}, "behavior": behavior, "invert": invert}]
        yield f"Punctuation, {behavior}", [{"type": "Punctuation", "behavior": behavior}]
    for label, pattern in KNOWN.items():
        for behavior, invert in (("Isolated", False), ("Removed", True)):
            yield f"Split by {label}, {behavior}", [{"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": invert}]
    yield "DeepSeek", [{"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False} for label, pattern in KNOWN.items() if "DeepSeek" in label]
    for pattern in REGEXES:
        yield f"Split by {pattern!r}", [{"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}]
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


def added_tokens(count=24):
    """Random added tokens that begin one another, overlap and take white space, under normalizers and pre-tokenizers."""
    r = random.Random(5)
    alphabet = [*"abAB_ -\n", "日", "é", "e\u0301", "\u3000", "½", "\u200d", "\u00a0"]
    normals = [None, {"type": "Lowercase"}, {"type": "NFC"}, {"type": "Prepend", "prepend": "_"}, {"type": "Replace", "pattern": {"String": "a"}, "content": "bb"}, bert()]
    cuts = [[], [{"type": "WhitespaceSplit"}], [metaspace("first", True)], [{"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}]]
    for n in range(count):
        contents = {"".join(r.choices(alphabet, k=r.randrange(1, 5))) for _ in range(r.randrange(2, 9))}
        tokens = [added(content, "".join(flag for flag in "wlrs" if r.randrange(3) == 0)) for content in sorted(contents)]
        if tokens[-1]["content"].strip():  # of normalized tokens one, so that no two have one normal form
            tokens[-1]["normalized"] = True
        yield f"added tokens {n}", r.choice(cuts), r.choice(normals), tokens


def configs():
    """(label, tokenizer.json as a tree)"""
    for label, pre, normalizer, tokens in added_tokens():
        yield label, tokenizer(pre, normalizer, tokens)
    for label, pre, normalizer, tokens in combined():
        yield label, tokenizer(pre, normalizer, tokens)
    for label, config in normalizers():
        yield label, tokenizer(normalizer=config)
    for label, config in pre_tokenizers():
        yield label, tokenizer(config)
