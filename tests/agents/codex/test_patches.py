"""Codex's patch language."""

from __future__ import annotations

from promptster.agents.codex.patches import read_patch

PATCH = """apply_patch <<'EOF'
*** Begin Patch
*** Add File: new.txt
+one
+
*** Update File: src/a.py
@@ def f():
 keep
-old
+new
*** Update File: b.txt
*** Move to: c.txt
@@
-x
+y
*** End of File
*** Delete File: gone.txt
*** End Patch
EOF
"""


def test_every_file_of_a_patch() -> None:
    """Each file has its operation and the lines before and after; nothing after the end belongs to it."""
    files = [(file.path, file.operation, file.moved_to, file.before, file.after) for file in read_patch(PATCH)]
    assert files == [
        ("new.txt", "create", None, [], ["one", ""]),
        ("src/a.py", "modify", None, ["keep", "old"], ["keep", "new"]),
        ("b.txt", "rename", "c.txt", ["x"], ["y"]),
        ("gone.txt", "delete", None, [], []),
    ]


def test_what_is_no_patch_has_no_files() -> None:
    """Text without a beginning, and a beginning without files, have none."""
    assert read_patch("echo hello") == []
    assert read_patch("*** Begin Patch\nnonsense\n*** End Patch") == []


def test_a_files_lines_may_look_like_anything() -> None:
    """Other line separators end no line, and the words that end a patch may be in a file."""
    odd = "a\x0cb\x0bc\x85d\u2028e\u2029f\x1cg"
    patch = (
        f"*** Begin Patch\r\n*** Update File: a.md\r\n@@\r\n {odd}\r\n-*** End Patch\r\n+{odd}\r\n *** End Patch\r\n"
    )
    (file,) = read_patch(patch)
    assert file.before == [odd, "*** End Patch", "*** End Patch"]
    assert file.after == [odd, odd, "*** End Patch"]
    assert read_patch(f"{patch}*** End Patch\r\n+no more\r\n") == [file]
    assert read_patch(f"apply_patch '{patch}*** End Patch'") == [file]
