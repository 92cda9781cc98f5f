"""Words: the language that the person reads, and where a text is looked up in it.

English is what the sources are written in and costs nothing. Another language
is a gettext catalogue, ``locale/zh_CN/LC_MESSAGES/tcpviz.po``, which is read and
compiled in memory when it is first wanted: there is no binary that could be out
of step with it, and nothing to build. The floors above translate when they
draw; the core, ``--json``, ``--csv`` and error lines stay English.
"""

from __future__ import annotations

import gettext
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LANGUAGES: Final = {"en": "English", "zh": "简体中文"}
"""What ``--lang`` takes, and what each calls itself."""

_CATALOGUES: Final = {"zh": "zh_CN"}
_SIMPLIFIED: Final = frozenset({"zh", "zh_cn", "zh_sg", "zh_my", "zh_hans", "zh_hans_cn"})
_FOLDER: Final = Path(__file__).resolve().parent / "locale"

_language = "en"
_current: gettext.NullTranslations | None = None
_loaded: dict[str, gettext.NullTranslations] = {}


def language() -> str:
    """The language in use: a key of :data:`LANGUAGES`."""
    return _language


def use(name: str) -> None:
    """Read ``name`` from now on. Raises KeyError for a language that there is not."""
    global _language, _current
    if name not in LANGUAGES:
        raise KeyError(name)
    _language, _current = name, _catalogue(name)


@contextmanager
def english() -> Iterator[None]:
    """English for a while: what programs read must not depend on who looks at the screen."""
    before = _language
    use("en")
    try:
        yield
    finally:
        use(before)


def catalogue_path(name: str) -> Path:
    """The file with the texts of a language."""
    return _FOLDER / _CATALOGUES[name] / "LC_MESSAGES" / "tcpviz.po"


def _catalogue(name: str) -> gettext.NullTranslations | None:
    if name not in _CATALOGUES:
        return None
    if name not in _loaded:
        from tcpviz.catalogue import load

        _loaded[name] = load(catalogue_path(name))
    return _loaded[name]


def wanted(environ: Mapping[str, str]) -> str:
    """The language that the locale asks for, as GNU gettext reads it.

    ``LC_ALL``, ``LC_MESSAGES`` and ``LANG`` in this order; where that is not the C
    locale, ``LANGUAGE`` may name others to try first. English where none fits.
    """
    names = (environ.get(each, "") for each in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next((name for name in names if name), "")
    if locale in ("", "C", "POSIX"):
        return "en"
    for each in (*environ.get("LANGUAGE", "").split(":"), locale):
        plain = each.split(".")[0].split("@")[0].replace("-", "_").lower()
        if plain in _SIMPLIFIED:
            return "zh"
        if plain.split("_")[0] == "en":
            return "en"
    return "en"


def _(text: str, context: str = "") -> str:
    """``text`` in the reader's language; ``context`` tells one English word's meanings apart."""
    if _current is None or not text:
        return text
    return _current.pgettext(context, text) if context else _current.gettext(text)


def ngettext(one: str, many: str, number: int) -> str:
    """The form of ``one``/``many`` that ``number`` takes in the reader's language."""
    if _current is None:
        return one if number == 1 else many
    return _current.ngettext(one, many, number)


def counted(number: int, one: str, many: str | None = None) -> str:
    """``1 byte``, ``2 bytes``: a number with its noun; ``many`` where adding an s is wrong."""
    many = many or one + "s"
    return ngettext(f"{{n}} {one}", f"{{n}} {many}", number).format(n=number)


def joined(sentences: Iterable[str]) -> str:
    """Sentences one behind the other: with a space between them where the script has spaces."""
    text = ""
    for each in sentences:
        text += each if not text or text.endswith(("。", "”", "！", "？")) else f" {each}"
    return text


def listed(parts: Iterable[str]) -> str:
    """``one, two``, as the language separates them."""
    return _(", ").join(parts)
