"""Texts as people write them who want to harm whoever reads a report: strategies, and what no output may hold."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import settings
from hypothesis import strategies as st

# Every code point, lone surrogates included, and often the ones that do harm.
DANGEROUS = list(
    "\x00\x07\x08\x0b\x1b\x7f\x85\x9b\x9d\u202e\u2066\u200f\u2028\ufeff\ufffe\ud800\udfff\U000e0041\r\n\t[]m;=+-@"
)
ANY_TEXT = st.text(st.one_of(st.characters(codec=None, categories=None), st.sampled_from(DANGEROUS)))
PIECES = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</title></style>", "<!--", "-->", "]]>", "<![CDATA[",
    "javascript:alert(1)", "http://127.0.0.1/", "&lt;", "&#x3c;", '"', "'", "`", "{{ 7 * 7 }}", "{% raw %}",
    "=1+1", "+1", "-1", "@SUM(1)", "＝1", "﹢1", ";", ",", "|", "\u200b", "\xa0", "\t", "\r",
    "\x1b[31m", "\x1b]0;title\x07", "\x9b2J", "\x9d", "\x90", "\u202e", "\u2066",
    "::error::x", "::add-mask::x", "::stop-commands::x", "##[error]x", "##vso[task]x", "##teamcity[x]", "::", "##", "[",
    "\n", "\r\n", "\u2028", "\x85", "\x0b", " ", "\u3000", "x", "x" * 400, "\ud800", "\U000e0041",
)  # fmt: skip
TEXTS = ANY_TEXT | st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
"""What a student may make us show: any signs, and often what acts somewhere, in any order."""


def examples(count: int) -> settings:
    """So many examples at the gate, several times as many in ``make fuzz``."""
    return settings(max_examples=count * settings.default.max_examples // 100)


def assert_inert(text: str) -> None:
    """Nothing in a text acts on a terminal, on the direction of what is read, or on a parser of XML."""
    for character in text:
        assert character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs"), repr(character)
        assert unicodedata.bidirectional(character) not in (
            "LRO", "RLO", "LRE", "RLE", "PDF", "LRI", "RLI", "FSI", "PDI",
        ), repr(character)  # fmt: skip
        assert character not in "\ufffe\uffff\ufeff" and not "\U000e0000" <= character <= "\U000e007f"


def assert_commands_no_build(text: str) -> None:
    """No line is a command to a service that runs builds and reads what they print."""
    for line in re.split("\r\n|\r|\n", text):
        assert not line.lstrip().startswith("::"), line
        assert not re.search(r"##\w*\[", line), line
