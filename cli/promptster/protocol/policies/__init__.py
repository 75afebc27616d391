"""What policies hold, version by version, and every text that was ever rendered from one.

``settings`` holds the documents, ``topics`` what a line of the text announces, ``text_N`` the rendering of text N, and
``text_first`` that of the first release. A rendering that was released never changes: somebody agreed to it. Better
words are a new text with a number of its own.
"""
