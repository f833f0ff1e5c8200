"""The catalogue's Markdown: CommonMark, tables, formulas as MathML, citations. No HTML of the author passes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any

import nh3
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from techniques.listings import lines

CITATION = re.compile(r"\[@([\w:.+-]{1,200}(?:\s*[;,]\s*@[\w:.+-]{1,200})*)\]")
MOST_TEX = 2000

TEXT_TAGS = "a b blockquote br code del div em h3 h4 h5 h6 hr i li ol p pre s span strong table tbody td th thead tr ul"
MATH_TAGS = (
    "math mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms mspace msqrt mstyle msub "
    "msubsup msup mtable mtd mtext mtr munder munderover menclose"
)
MATH_ATTRIBUTES = (
    "accent accentunder columnalign columnspacing display displaystyle fence form height largeop linethickness lspace "
    "mathsize mathvariant maxsize minsize movablelimits notation rowspacing rspace scriptlevel separator stretchy "
    "symmetric width xmlns depth voffset"
)
TAGS = set(f"{TEXT_TAGS} {MATH_TAGS}".split())
ATTRIBUTES: dict[str, set[str]] = {
    **{tag: set(MATH_ATTRIBUTES.split()) for tag in MATH_TAGS.split()},
    "a": {"href", "title"},
    "div": {"tabindex"},
    "ol": {"start"},
    "pre": {"tabindex"},
}
CLASSES = {"div": {"maths"}, "pre": {"code"}, "span": {"cite"}, "a": {"cite"}, "td": {"num"}, "th": {"num"}}


@dataclass(frozen=True)
class Citation:
    """What ``[@key]`` turns into: a short label ("Dao et al., 2022"), the whole title and the address of the page."""

    label: str
    title: str
    address: str


def keys(group: str) -> list[str]:
    """The keys of one citation: ``a; @b`` has two."""
    return [key.strip().lstrip("@") for key in re.split(r"[;,]", group)]


def html(tokens: Sequence[Token], citations: Mapping[str, Citation]) -> str:
    """Safe HTML of ``tokens``. It is cleaned last, because the formula writer lets HTML inside ``\\text`` through."""
    raw = parser().renderer.render(tokens, parser().options, {"citations": citations})
    return nh3.clean(
        raw, tags=TAGS, attributes=ATTRIBUTES, allowed_classes=CLASSES, url_schemes={"http", "https", "mailto"}
    )


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    """The one parser; it keeps no state between texts."""
    made = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
    # A picture would be a request to another host.
    made.disable("image")
    made.use(dollarmath_plugin, allow_labels=False, double_inline=True)
    made.inline.ruler.before("link", "citation", _citation)
    made.add_render_rule("citation", _cited)
    made.add_render_rule("math_inline", _math_inline)
    made.add_render_rule("math_inline_double", _math_block)
    made.add_render_rule("math_block", _math_block)
    made.add_render_rule("fence", _fence)
    made.add_render_rule("code_block", _fence)
    return made


def _citation(state: StateInline, silent: bool) -> bool:
    found = CITATION.match(state.src, state.pos)
    if found is None:
        return False
    if not silent:
        token = state.push("citation", "", 0)
        token.content = found[1]
    state.pos = found.end()
    return True


def _cited(self: RendererProtocol, tokens: Sequence[Token], index: int, options: Any, env: Mapping[str, Any]) -> str:
    known: Mapping[str, Citation] = env["citations"]
    links = []
    for key in keys(tokens[index].content):
        citation = known.get(key)
        links.append(
            f'<a class="cite" href="{escape(citation.address)}" title="{escape(citation.title)}">'
            f"{escape(citation.label)}</a>"
            if citation
            else f"@{escape(key)}"
        )
    return f'<span class="cite">[{"; ".join(links)}]</span>'


# Why a formula cannot be read, by the error of the library; and commands that it passed through as text.
_TEX_ERRORS = {
    "NumeratorNotFoundError": "a fraction without numerator",
    "DenominatorNotFoundError": "a fraction without denominator",
    "ExtraLeftOrMissingRightError": "\\left without \\right",
    "MissingSuperScriptOrSubscriptError": "nothing follows ^ or _",
    "DoubleSubscriptsError": "two subscripts at one letter",
    "DoubleSuperscriptsError": "two superscripts at one letter",
    "NoAvailableTokensError": "it ends too early",
    "MissingEndError": "\\begin without \\end",
    "LimitsMustFollowMathOperatorError": "\\limits without an operator before it",
}
_UNREAD = re.compile(r">\s*(\\[A-Za-z]+)\s*<")


def tex_fault(tex: str) -> str:
    """Why ``tex`` is shown as it was written, or not as it was meant; empty for a sound formula."""
    if len(tex) > MOST_TEX:
        return f"it is longer than {MOST_TEX} characters"
    if "\\text" in tex and "<" in tex:
        return "\\text cannot hold <; write it outside"
    depth = 0
    for sign in re.findall(r"(?<!\\)(?:\\\\)*([{}])", tex):
        depth += 1 if sign == "{" else -1
        if depth < 0:
            return "a brace is closed that was not opened"
    if depth:
        return "a brace is not closed"
    try:
        unread = _UNREAD.search(str(convert(tex)))
    except Exception as error:
        return _TEX_ERRORS.get(type(error).__name__, "it is broken")
    return f"unknown command {unread[1]}" if unread else ""


def _mathml(tex: str, display: str) -> str:
    """MathML of ``tex``; what cannot be read, or is absurdly long, is shown as it was written."""
    try:
        if len(tex) > MOST_TEX or ("\\text" in tex and "<" in tex):
            raise ValueError(tex)
        return str(convert(tex, display=display))
    except Exception:
        # latex2mathml raises errors of many kinds for broken TeX, IndexError among them.
        return f"<code>{escape(tex)}</code>"


def _math_inline(
    self: RendererProtocol, tokens: Sequence[Token], index: int, options: Any, env: Mapping[str, Any]
) -> str:
    return _mathml(tokens[index].content.strip(), "inline")


def _math_block(
    self: RendererProtocol, tokens: Sequence[Token], index: int, options: Any, env: Mapping[str, Any]
) -> str:
    return f'<div class="maths" tabindex="0">{_mathml(tokens[index].content.strip(), "block")}</div>'


def _fence(self: RendererProtocol, tokens: Sequence[Token], index: int, options: Any, env: Mapping[str, Any]) -> str:
    token = tokens[index]
    python = token.info.strip().lower() in {"python", "py"}
    body = "\n".join(lines(token.content.rstrip("\n"))) if python else escape(token.content.rstrip("\n"), quote=False)
    return f'<pre class="code" tabindex="0"><code>{body}</code></pre>\n'
