"""Random and mutated texts that tokenizers find hard: every plane of Unicode, white space of all kinds, code, emoji, broken bytes."""

SPACES = " \t\n\r\x0b\x0c\x1c\x1f\x85\xa0\u1680\u2000\u2003\u200a\u2028\u2029\u202f\u205f\u3000\u180e\u200b\ufeff\u2060"
PIECES = ["'s", "'S", "'t", "'RE", "'ve", "'m", "'lL", "'d", "'\u017f", "'\u212a", "don't", "I'LL", "''s", "\u2019s", "'", "''", "\r\n", "\n\n", "  ", " \n ",
          "\t\t", " ", "   \n  x", "0", "12", "345", "6789", "½", "²", "Ⅷ", "٣", "१२३", "\U00011de3", "\U0001d7d9", "a", "The", " the", "hello", " world", "ÀÉ",
          "日本", "語", "한글", "Ω", "ß", "ﬁ", "é", "e\u0301", "a\u0308\u0323", "\u0301", "\u0323\u0301", "\u1100\u1161\u11a8", "\u212b", "\U00011935\U00011930", "\U00010d24\U000105d2\u0307",
          "\u0958", "\u0344", "!", "?!", "...", "--", "//", "/*", "*/", "{", "}", "()", "->", "$", "€", "_", "😀", "👩‍💻", "🇫🇷", "👍🏽", "\u200d", "\ufe0f", "\x00", "\x7f",
          "\ufffd", "\U0010ffff", "\ue000", "\U0001fae8", "\u1c89", "\U00031350", "<|", "|>", "<", ">", "[", "Ġ", "Ċ"]
PLANES = [(0x20, 0x7F), (0xA0, 0x250), (0x250, 0x1000), (0x1000, 0x2000), (0x2000, 0x3000), (0x3000, 0xA000), (0xA000, 0xD800), (0xE000, 0x10000),
          (0x10000, 0x20000), (0x20000, 0x40000), (0xE0000, 0xE0200), (0x40000, 0x110000)]
WORDS = "once upon a time there was an old tokenizer that split every word into pieces and joined them again without loss".split()


SENTENCES = [
    "The quick brown fox jumps over the lazy dog; it's 3.14 times faster than 1,000,000 others, isn't it?",
    "Zażółć gęślą jaźń. Příliš žluťoučký kůň úpěl ďábelské ódy. Árvíztűrő tükörfúrógép. Flygande bäckasiner söka hwila på mjuka tuvor.",
    "Съешь же ещё этих мягких французских булок, да выпей чаю. Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Ի՞նչ է նշանակում.",
    "敏捷的棕色狐狸跳过了懒狗。東京は日本の首都です。カタカナとひらがな、漢字。안녕하세요 세계! 다람쥐 헌 쳇바퀴에 타고파.",
    "نص حكيم له سر قاطع وذو شأن عظيم. דג סקרן שט בים מאוכזב ולפתע מצא חברה. ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश.",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน Tiếng Việt có nhiều dấu: ă â đ ê ô ơ ư ạ ả ấ ầ",
    "for (size_t i = 0; i < n; i++) {\n\tsum += a[i] * b[i]; /* dot product */\n}\n\nreturn sum == 0.0f ? -1 : sum;\r\n",
    "def tokenize(text: str) -> list[str]:\n    \"\"\"Splits.\"\"\"\n    return [w for w in re.findall(r'\\w+|[^\\w\\s]', text) if w]\n\n\n",
    "<div class=\"a\"><a href='https://example.org/?q=1&amp;r=%20'>link</a></div>\n<!-- comment -->   \n",
    "{\"role\": \"user\", \"content\": \"What's 12 + 345?\", \"nested\": [null, true, -1.5e-7, \"\\u00e9\"]}",
    "👩‍👩‍👧‍👦 👍🏽 🇫🇷🇩🇪 1️⃣ ☕️ ❤️‍🔥 🏴󠁧󠁢󠁥󠁮󠁧󠁿 (╯°□°)╯︵ ┻━┻ ∀x∈ℝ: ⌈x⌉ = −⌊−x⌋, H₂O ⇌ H⁺ + OH⁻ ½ ⅔ ① Ⅷ ﬁﬂ ℡ ㍿",
    "   leading and trailing   \n\n\n   indented\t\ttabs \u00a0nbsp\u3000wide\u2009thin\u200bzero   ",
]


def mutated(r, text, added):
    """A sentence after some accidents: characters lost, doubled, moved, replaced, cut into bytes."""
    chars = list(text)
    begin = r.randrange(len(chars))
    chars = chars[begin:begin + r.randrange(5, 120)]
    for _ in range(r.randrange(1, 12)):
        at, what = r.randrange(len(chars) + 1), r.randrange(7)
        if what == 0:
            chars[at:at + r.randrange(4)] = []
        elif what == 1:
            chars[at:at] = chars[at:at + 3] * r.randrange(1, 4)
        elif what == 2:
            chars[at:at] = [r.choice(PIECES + added)]
        elif what == 3:
            chars[at:at + 1] = [chr(r.randrange(*r.choice(PLANES)))]
        elif what == 4:
            chars[at:at] = [r.choice(SPACES)] * r.randrange(1, 5)
        elif what == 5:
            chars[at:at + 4] = "".join(chars[at:at + 4]).swapcase()
        else:
            data = bytearray("".join(chars).encode())
            if data:
                data[r.randrange(len(data))] = r.randrange(256)
            chars = list(data.decode("utf-8", "replace"))
    return "".join(chars)


def random_text(r, added):
    kind = r.randrange(10)
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
    if kind == 7:
        return r.choice(PIECES) * r.randrange(1, 60) + r.choice(PIECES)
    return mutated(r, r.choice(SENTENCES), added)
