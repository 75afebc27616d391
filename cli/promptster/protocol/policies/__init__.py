"""The documents of a policy, version by version, and every text that was ever rendered from one.

``settings`` holds the documents, ``topics`` what one line of a text announces, ``text_N`` the rendering of text N, and
``text_first`` that of the first release. A released rendering never changes, because candidates agreed to it. Better
wording is a new text with its own number.
"""
