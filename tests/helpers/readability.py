"""How hard an English text is to read: words, sentences and syllables, and the Flesch-Kincaid grade from them.

The formula is the one of Kincaid, Fishburne, Rogers and Chissom, "Derivation of new readability formulas for Navy
enlisted personnel", Research Branch Report 8-75 (1975), the grade level that US schools use:

    0.39 * words / sentences + 11.8 * syllables / words - 15.59

Syllables are counted by rule: groups of vowels, less the endings that English does not speak (a final ``e``, ``ed``
after most consonants, ``es``). The rule is right for about nine words in ten and errs to both sides.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ADDRESS = re.compile(r"\(?https?://\S+|\S+@\S+")
_HEADING = re.compile(r"[A-Z][A-Z ]+")
_SENTENCE = re.compile(r"[.!?]+(?:\s|$)")
_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?|\d+")
_VOWELS = re.compile(r"[aeiouy]+")
_SILENT = re.compile(r"(?:[^aeiouytd]ed|[^aeiouylscxzg]es|[^aeiouyl]e)$")
_SPOKEN_APART = re.compile(r"ia|io(?!n)|eo(?!u)|[^q]ua|iu|ying|ie(?=nc|t)|ea$")


class Counts(NamedTuple):
    """The numbers of words, sentences and syllables in a text."""

    words: int
    sentences: int
    syllables: int

    @property
    def grade(self) -> float:
        """The Flesch-Kincaid grade level."""
        return 0.39 * self.words / self.sentences + 11.8 * self.syllables / self.words - 15.59


def syllables(word: str) -> int:
    """Count the syllables of an English word; a number counts as one for each digit."""
    if word.isdigit():
        return len(word)
    plain = word.lower().removesuffix("'s")
    groups = len(_VOWELS.findall(plain)) + len(_SPOKEN_APART.findall(plain))
    if groups > 1 and _SILENT.search(plain):
        groups -= 1
    return max(groups, 1)


def count(text: str) -> Counts:
    """Count a text without its headings; addresses are left out, and each point of a list is a sentence."""
    words = sentences = spoken = 0
    for line in text.splitlines():
        if not line or _HEADING.fullmatch(line):
            continue
        for sentence in _SENTENCE.split(_ADDRESS.sub(" ", line)):
            found = _WORD.findall(sentence)
            words += len(found)
            sentences += bool(found)
            spoken += sum(syllables(word) for word in found)
    return Counts(words, sentences, spoken)
