#!/usr/bin/env python3
"""Random templates, rendered by oclm and by Jinja2 as transformers sets it up: both must agree on the text, or on there being an error.

usage: fuzz_chat.py RENDER_CHAT [--seed N] [--count N] [--show N]
"""
import argparse
import random
import sys
import warnings

import chat_reference as ref

NAMES = ["x", "s", "n", "l", "d", "u", "b", "f", "t", "none", "true", "false", "messages", "i", "ns"]
TEXTS = ["", "a", "b", "Ab c", "héLLo wörld", " pad ", "a,b,,c", "x\\ny\\n", "ß", "日本", "<b>&\\\"", "1", "-7", "3.5", "zz_top", "Éa-b(c", "{}", "%s", "\\t|"]
STRINGS_1 = ["upper", "lower", "title", "capitalize", "trim", "string", "length", "list", "reverse", "first", "last", "tojson", "int", "float", "e", "safe",
             "wordcount", "abs", "round", "sort", "unique | list", "sum", "min", "max", "join", "default('D')", "d('D', true)", "items | list", "dictsort", "count"]
FILTERS_A = ["replace({a}, {a})", "replace({a}, {a}, {n})", "join({a})", "default({a})", "default({a}, true)", "indent({n})", "indent({n}, true)",
             "indent(2, blank=true)", "tojson(indent={n})", "tojson(ensure_ascii=true)", "tojson(sort_keys=true)", "center({n})", "truncate(4, true, '..', 0)",
             "truncate(5)", "batch({n}) | list", "slice(2) | list", "slice(3, 'f') | list", "sort(reverse=true)", "round({n})", "round(1, 'floor')", "round(1, 'ceil')",
             "map('upper') | list", "map(attribute='a') | list", "select('string') | list", "reject('none') | list", "select | list", "selectattr('a') | list",
             "selectattr('a', 'equalto', 1) | list", "rejectattr('a', 'defined') | list", "sum(start={n})", "int({n})", "int(0, 16)", "float(1.5)", "dictsort(true)",
             "dictsort(by='value')", "groupby('a') | list", "map('length') | list", "attr('a')", "trim({a})", "format({e})", "min(attribute='a')", "sort(attribute='a')",
             "join('-', attribute='role')", "sort(case_sensitive=true)", "items | list | length", "max(true)", "first | default('none')", "unique(true) | list"]
METHODS = ["upper()", "lower()", "title()", "capitalize()", "strip()", "lstrip()", "rstrip()", "strip({a})", "rstrip({a})", "lstrip('a ')", "split()", "split({a})",
           "split(',', 1)", "rsplit(',', 1)", "rsplit(None, 1)", "split(None, 1)", "splitlines()", "splitlines(true)", "startswith({a})", "endswith({a})",
           "startswith(('a', 'b'))", "replace({a}, {a})", "replace({a}, 'q', 1)", "find({a})", "rfind({a})", "count({a})", "index('a')", "join(l)", "join(['a', 'b'])",
           "isdigit()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()", "zfill(5)", "center(9)", "center(8, '*')", "ljust(6)", "rjust(6, '.')",
           "partition({a})", "rpartition(',')", "removeprefix({a})", "removesuffix({a})", "swapcase()", "items()", "keys()", "values()", "get('a')", "get({a}, 2)",
           "get('zz')", "items() | list", "keys() | list", "values() | list", "index({e})", "count({e})", "format(1, {e})", "append(1)", "pop()", "istitle()", "find({a}, 1)",
           "copy()", "update({{'a': 1}})"]
TESTS = ["string", "number", "integer", "float", "boolean", "mapping", "iterable", "sequence", "none", "defined", "undefined", "true", "false", "odd", "even",
         "divisibleby 2", "divisibleby({n})", "eq({e})", "equalto {a}", "ne({e})", "in [1, 'a']", "in(l)", "upper", "lower", "callable", "sameas(none)", "lt 3", "ge(2)", "escaped"]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or", "+", "~", "=="]


class Maker:
    def __init__(self, rng):
        self.r = rng
        self.macros = 0

    def text(self):
        quote = self.r.choice("'\"")
        body = self.r.choice(TEXTS)
        if quote == '"':
            return quote + body + quote
        return quote + body.replace('\\"', '"') + quote

    def number(self):
        return self.r.choice(["0", "1", "2", "3", "-1", "7", "10", "-3"])

    def atom(self):
        k = self.r.random()
        if k < 0.3:
            return self.r.choice(NAMES)
        if k < 0.5:
            return self.text()
        if k < 0.65:
            return self.number()
        if k < 0.7:
            return self.r.choice(["1.5", "0.1", "1e5", "2.0", "1e-7", "1e16", "123456.789", "1_000"])
        if k < 0.78:
            return "[" + ", ".join(self.expr(1) for _ in range(self.r.randrange(4))) + "]"
        if k < 0.84:
            return "{" + ", ".join(f"{self.r.choice([self.text(), self.number(), 'none', 'true'])}: {self.expr(1)}" for _ in range(self.r.randrange(3))) + "}"
        if k < 0.88:
            return "(" + self.expr(1) + ", " + self.expr(1) + ")"
        if k < 0.92:
            return self.r.choice(["range(3)", "range(1, 6, 2)", "range(5, 0, -2)", "dict(a=1, b='x')", "namespace(a=1)", "loop.index", "loop.last", "nope", "m1('z')", "m1(2, k='q')"])
        return "(" + self.expr(1) + ")"

    def fill(self, pattern):
        return pattern.replace("{a}", self.text()).replace("{n}", self.number()).replace("{e}", self.expr(1)).replace("{{", "{").replace("}}", "}")

    def plain(self):
        """Of operands whose types fit mostly."""
        text = lambda: self.r.choice([self.text(), "s", "x", f"{self.text()} | upper", "s | replace('e', 'É')", "messages[0].content", "x | trim", f"{self.text()}.strip()"])
        number = lambda: self.r.choice([self.number(), "n", "l | length", "f", "2.5", "s | length", "loop.index0 | default(4)", "'12' | int"])
        many = lambda: self.r.choice(["l", "[3, 1, 2]", "messages", "t", "d", "'abc'", "range(4)", "['b', 'A', 'c']", "d.values() | list", "s.split()"])
        return self.r.choice([
            lambda: f"{text()} {self.r.choice(['+', '~', '==', 'in', '<', '~'])} {text()}",
            lambda: f"({text()}).{self.fill(self.r.choice(METHODS[:57]))}",
            lambda: f"{text()} | {self.fill(self.r.choice(FILTERS_A[:17]))}",
            lambda: f"({number()}) {self.r.choice(['+', '-', '*', '/', '//', '%', '**', '<', '=='])} ({number()})",
            lambda: f"{many()} | {self.r.choice(['list', 'length', 'first', 'last', 'join(self.number())', 'tojson', 'reverse | list', 'string', 'tojson(indent=2)'])}".replace("self.number()", "'; '"),
            lambda: f"{many()} | {self.fill(self.r.choice(FILTERS_A[17:]))}",
            lambda: f"{many()} is {self.fill(self.r.choice(TESTS))}",
            lambda: f"'{self.r.choice(['%s', '%5s|', '%-5s|', '%d', '%05d', '%.2f', '%x', '%+d', '%8.3f', '%e', '%r', '%%%s', '%c'])}' % ({number()})",
            lambda: f"'{self.r.choice(['{}', '{:>5}', '{:05d}', '{!r:^9}', '{0}{0}', '{:x<6}', '{:,}'])}'.format({number()})",
        ])()

    def expr(self, depth):
        if self.r.random() < 0.55:
            return self.plain()
        if depth <= 0:
            return self.atom()
        k = self.r.random()
        if k < 0.22:
            return self.atom()
        if k < 0.42:
            return f"{self.expr(depth - 1)} {self.r.choice(BINARY)} {self.expr(depth - 1)}"
        if k < 0.58:
            return f"{self.expr(depth - 1)} | {self.r.choice(STRINGS_1) if self.r.random() < 0.5 else self.fill(self.r.choice(FILTERS_A))}"
        if k < 0.72:
            return f"{self.atom()}.{self.fill(self.r.choice(METHODS))}"
        if k < 0.8:
            return f"{self.expr(depth - 1)} is {self.r.choice(['', 'not '])}{self.fill(self.r.choice(TESTS))}"
        if k < 0.86:
            if self.r.random() < 0.5:  # of constants Jinja folds these with other errors
                return self.r.choice(["x", "s", "l", "messages", "u"]) + self.r.choice(["[1:]", "[:-1]", "[::-1]", "[::2]", "[-2:]", "[1:3]", "[3:0:-1]", "[n:]", "[:i]"])
            return self.atom() + self.r.choice(["[0]", "[-1]", "['a']", "[5]", ".a", ".b", ".role", "[i]", "[x]"])
        if k < 0.91:
            return f"{self.expr(depth - 1)} if {self.expr(depth - 1)}" + (f" else {self.expr(depth - 1)}" if self.r.random() < 0.7 else "")
        if k < 0.95:
            return f"{self.r.choice(['not ', '-', '+'])}{self.expr(depth - 1)}"
        return f"{self.expr(depth - 1)} {self.r.choice(['<', '==', '<=', 'in'])} {self.expr(depth - 1)} {self.r.choice(['<', '!='])} {self.expr(depth - 1)}"

    def tag(self, inside):
        left, right = self.r.choice(["", "", "", "-", "-", "+"]), self.r.choice(["", "", "", "-", "-"])
        return "{%" + left + " " + inside + " " + right + "%}"

    def data(self):
        return self.r.choice(["", "", " ", "\n", "\n  ", "a", " b ", "x\n", "\n\n", "\t", "é", "  \n  y  ", "}", "{", "#", "%"])

    def statement(self, depth):
        k = self.r.random()
        if k < 0.45 or depth <= 0:
            left, right = self.r.choice(["", "", "-"]), self.r.choice(["", "", "-"])
            return "{{" + left + " " + self.expr(2) + " " + right + "}}"
        if k < 0.6:
            out = self.tag("if " + self.expr(2)) + self.body(depth - 1)
            while self.r.random() < 0.3:
                out += self.tag("elif " + self.expr(1)) + self.body(depth - 1)
            if self.r.random() < 0.4:
                out += self.tag("else") + self.body(depth - 1)
            return out + self.tag("endif")
        if k < 0.75:
            target = self.r.choice(["i", "i", "x", "k, v", "s"])
            over = self.r.choice(["l", "d", "d.items()", "messages", "range(3)", "'abc'", "[1, 2]", "[(1, 2), (3, 4)]", "d | dictsort", self.expr(1)])
            out = self.tag(f"for {target} in {over}" + self.r.choice(["", "", f" if {self.expr(1)}"])) + self.body(depth - 1)
            if self.r.random() < 0.15:
                out += self.tag("if loop.index > 1") + self.tag(self.r.choice(["break", "continue"])) + self.tag("endif") + self.data()
            if self.r.random() < 0.2:
                out += self.tag("else") + self.body(depth - 1)
            return out + self.tag("endfor")
        if k < 0.88:
            return self.tag(self.r.choice([f"set {self.r.choice(['x', 's', 'n', 'q'])} = {self.expr(2)}", f"set ns.a = {self.expr(1)}", f"set x, s = {self.expr(1)}, {self.expr(1)}"]))
        if k < 0.92:
            return self.tag(self.r.choice(["set x", "set s | upper", "set q | trim"])) + self.body(depth - 1) + self.tag("endset")
        if k < 0.94:
            return "{#" + self.r.choice(["", "-"]) + " c " + self.r.choice(["", "-"]) + "#}"
        if k < 0.96:
            return self.tag("generation") + self.body(depth - 1) + self.tag("endgeneration")
        if k < 0.97:
            return self.tag("filter upper") + self.body(depth - 1) + self.tag("endfilter")
        if k < 0.98:
            return self.tag("with i = 3, n = i") + self.body(depth - 1) + self.tag("endwith")
        if k < 0.99:
            return self.tag("call m2(1)") + self.body(depth - 1) + self.tag("endcall")
        return self.tag("raw") + "{{ x }}{% y" + self.tag("endraw")

    def body(self, depth):
        return "".join(self.data() + self.statement(depth) for _ in range(self.r.randrange(1, 3))) + self.data()

    def template(self):
        head = ""
        if self.r.random() < 0.5:
            head = ("{% set ns = namespace(a=1, n='q') %}{% macro m1(p, k='dk') %}[{{ p }}|{{ k }}|{{ x }}]{% endmacro %}"
                    "{% macro m2(p) %}<{{ caller() }}{{ p }}>{% endmacro %}")
        return head + self.body(self.r.randrange(1, 4))


VARIABLES = dict(x="xv", s="Some Text", n=3, l=[1, "a", None, "B", 2.5], d=dict(a=1, b="two", items=[1]), b=True, f=1.5, t=[dict(a=1, role="u"), dict(a=2, role="v")])
MESSAGES = [dict(role="user", content="Hi there"), dict(role="assistant", content="Yö")]


def unstable(text):
    """What Python prints with an address, or not alike twice."""
    return any(mark in text for mark in (" at 0x", "<generator", "object at", "<bound method", "<built-in", "<function", "reverseiterator", "<class"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--show", type=int, default=10)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    bad = total = texts = 0
    for batch in range(0, args.count, 2000):
        maker = Maker(random.Random(args.seed * 1000003 + batch))
        cases = [ref.case("random", maker.template(), MESSAGES, **VARIABLES) for _ in range(min(2000, args.count - batch))]
        cases = [c for c in cases if not unstable(c.get("expected", ""))]
        for made, answer in ref.differences(cases, ref.render(args.program, cases)):
            if "not supported" in answer.get("error", "") or "64 bits" in answer.get("error", ""):
                continue
            bad += 1
            if bad <= args.show:
                print(f"--- {made['template']!r}\n    oclm  {answer}\n    jinja {made.get('expected', made.get('error'))!r}")
        total += len(cases)
        texts += sum("expected" in c for c in cases)
    print(f"seed {args.seed}: {total} templates, {texts} of them rendered, {bad} differ")
    sys.exit(1 if bad else 0)


main()
