"""Characters that people cannot see, or that change how others look: what shows captured text writes them as codes.

Terminal and page take the set from here; the page's own script holds it once more, and a test compares the two. Left
out are joiners inside words and emoji, and the two selectors that ask for a character as text or as a picture.
"""

from __future__ import annotations

UNSEEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but for tab and newline, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional controls
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\uffa0"  # nothing to see, or a gap
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # separators that some terminals break lines at, interlinear marks
    "\ufe00-\ufe0d\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # selectors and tags: bytes can be hidden in them
    "\ud800-\udfff"  # lone surrogates: cannot be encoded
)
"""The inside of a regular expression's character class."""
