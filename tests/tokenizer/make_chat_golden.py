#!/usr/bin/env python3
"""Writes data/chat.jsonl.xz: the templates of chat_templates.py over the conversations of chat_talks.py, and one-liners, by the reference.

usage: make_chat_golden.py [OUT]        needs PyPI's transformers, jinja2 >= 3.1.6
"""
import lzma
import pathlib
import sys

import chat_reference as ref
from chat_talks import TALKS
from chat_templates import TEMPLATES

ONE_LINERS = [
    "{{ x.y }}", "{{ x }}|{{ x is defined }}|{{ x | default('d') }}", "{{ messages[7] }}|{{ messages['a'] }}", "{{ messages[0].nope.x }}", "{{ 'a' + 1 }}", "{{ 1 + none }}",
    "{{ [1] + (2,) }}", "{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ 1.5 // 0 }}", "{{ {}['a'] }}|{{ {'a': 1}.b }}", "{{ 'x'.nope }}|{{ 'x'.nope() }}", "{{ messages.append(1) }}", "{{ {}.update({'a': 1}) }}",
    "{{ ''.__class__ }}|{{ ''.__class__.__mro__ }}", "{{ namespace(_a=1) }}", "{% set n = namespace() %}{% set n._b = 1 %}", "{% set d = {} %}{% set d.x = 1 %}", "{{ [] | first }}|{{ [] | last }}", "{{ none | length }}",
    "{{ 5 | join }}", "{{ [1, 'a'] | sort }}", "{{ 'abc' | nofilter }}", "{{ 1 is notest }}", "{% for %}", "{% if 1 %}", "{% endif %}", "{{ 1 ", "{{ 'abc }}", "{{ (1 }}", "{{ 1) }}", "{{ [1}] }}", "{% set 1 = 2 %}",
    "{% set none = 2 %}", "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}", "{% macro m(a) %}{{ a }}|{{ a is defined }}{% endmacro %}{{ m() }}",
    "{% macro m(a) %}{{ a.x }}{% endmacro %}{{ m() }}", "{% include 'x' %}", "{% extends 'x' %}", "{% frobnicate %}", "{{ range(1000000) }}", "{{ range(100000) | length }}", "{{ 'a' * 3 }}|{{ [0] * 2 }}|{{ 2 * 'ab' }}", "{{ 'a' * 'b' }}",
    "{{ raise_exception('because ' ~ 1) }}", "{{ strftime_now('%Y-%m-%d %H:%M:%S %a %A %b %B %j %p %I %y %%') }}", "{{ 'é日😀' | length }}|{{ 'é日😀'[1] }}|{{ 'é日😀'[::-1] }}|{{ 'é日😀' | upper | tojson(ensure_ascii=true) }}",
    "{# c #}a{#- d -#} b", "a  {%- if 1 -%}  b  {%- endif %}  c", "  {% if 1 %}\n  x\n  {% endif %}\n", "  {%+ if 1 +%}\n x{% endif %}\n\n", "a\r\nb\rc\n", "\n\n", "{{ '\n' }}\n", "{%- raw -%} {{ x }} {%- endraw -%} y", "{{ 'a\\nb' }}{{ \"\\x41\\u00e9\\101\\q\" }}",
    "{{ 1_000 + 0x1F + 0b11 + 0o17 }} {{ 1e3 }} {{ 1.5e-3 }}", "{{ 'a' if false }}|{{ ('a' if false) is defined }}", "{{ ('a' if false).x }}", "{{ loop }}", "{% break %}", "{% for i in 5 %}{% endfor %}", "{% for a, b in [1] %}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}", "{{ {1: 'a', true: 'b', 1.0: 'c'} }}", "{{ {[1]: 2} }}", "{{ {'a': 1}.items() }}|{{ {'a': 1}.keys() }}|{{ {'a': 1}.values() }}", "{{ dict(a=1, **{'b': 2}) }}", "{{ (1, 2)[0] }} {{ () }} {{ (1,) }}",
    "{{ true + true }} {{ true == 1 }} {{ 1 == 1.0 }} {{ '1' == 1 }}", "{{ 'A' | lower }} {{ 'hello wORLD-x (y' | title }} {{ 'hELLO' | capitalize }} {{ 'they\\'re'.title() }}", "{{ ' a b '.split(' ') }} {{ ' a b '.split() }} {{ 'a,b,c'.rsplit(',', 1) }} {{ ''.split() }} {{ ''.split(',') }}",
    "{{ 'a'.split('') }}", "{{ 'abc'.find('c') }} {{ 'abc'.index('z') }}", "{{ x | tojson }}", "{{ messages | map('nofilter') | list }}", "{{ messages | map(attribute='role') }}"[:0] + "{{ messages | map(attribute='role') | list }}", "{{ [1, 2, 3] | select('odd') | list }} {{ [0, 1, '', 'a'] | select | list }} {{ [1, 2] | reject('eq', 1) | list }}",
    "{{ [{'a': {'b': 1}}, {'a': {}}] | map(attribute='a.b') | list }}", "{{ [{'a': 1}, {}] | map(attribute='a', default=0) | list }}", "{{ [[1, 2], [3]] | sum(start=[]) }}", "{{ [1, 2.5] | sum }} {{ ['a'] | sum }}", "{{ [2, 10, 1] | max }} {{ ['b', 'A'] | min }} {{ [] | max }}",
    "{{ 'x' ~ none ~ true ~ 1.0 ~ [] }}", "{{ 'abc' is string }} {{ 1 is number }} {{ 1.0 is float }} {{ true is boolean }} {{ 'A' is upper }} {{ 4 is divisibleby(2) }} {{ none is sequence }}", "{{ 'a' is in(['a']) }} {{ 'a' is eq 'a' }} {{ 3 is not odd }}", "{{ 'x' is string is string }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a, b = b, a %}{{ a }}{{ b }}", "{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}", "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}", "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}late{% endmacro %}{{ a() }}",
    "{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}", "{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m() %}{{ i }}{% endmacro %}{% for i in [1] %}[{{ m() }}]{% endfor %}", "{{ 9223372036854775807 }}",
    "{% generation %}{% set y = 1 %}{{ y }}{% endgeneration %}[{{ y }}]", "{% call(x) [].foo() %}{% endcall %}", "{% macro m() %}{{ caller('a', 1) }}{% endmacro %}{% call(p, q) m() %}{{ p }}{{ q }}{% endcall %}", "{% filter replace('a', 'b') | upper %}aXa{% endfilter %}", "{% print 1 %}{% print 'a', 2 %}",
    "{{ 7 / 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 ** -1 }} {{ 2 ** 0.5 }} {{ -2 ** 2 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}", "{{ 1 < 2 < 3 }} {{ 1 < 'a' }}", "{{ 'b' > 'a' }} {{ [1, 2] < [1, 3] }} {{ (1,) == (1,) }} {{ none == false }}", "{{ messages | tojson(indent=2) }}", "{{ 'a\tb' | tojson }} {{ '\u007f\u2028' | tojson }}",
    "{{ [1, [], {}, {'a': []}] | tojson(indent=1) }}", "{{ 1.0 }} {{ 1e-5 }} {{ 123456789012345.6 }} {{ 1e15 }} {{ 1e16 }} {{ 0.1 + 0.2 }} {{ 100.0 }} {{ 1e100 }} {{ -0.0 }}", "{{ 'it\\'s' | list }} {{ ['a\\'b', 'c\"d', 'e\\nf', '\u200b', 'é'] }}",
]


def main(out):
    cases = [ref.case(f"{name}: {talk}", text, **arguments) for name, text in TEMPLATES.items() for talk, arguments in TALKS.items()]
    cases += [ref.case(f"one-liner {i}", text, TALKS["plain"]["messages"]) for i, text in enumerate(ONE_LINERS)]
    with lzma.open(out, "wt", encoding="utf-8", preset=9) as f:
        for made in cases:
            f.write(ref.line_of(made) + "\n")
    print(len(TEMPLATES), "templates,", len(cases), "cases,", sum("error" in c for c in cases), "errors")


main(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "data" / "chat.jsonl.xz")
