"""Names that could not be shown unchanged are refused wherever a person enters them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.helpers.candidate import bearer
from tests.helpers.collector import run_command

from promptster_collector.input_text import normalised_text, text_fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.helpers.site import Site

INVISIBLE = (
    "two\nlines",
    "a\ttab",
    "bell\x07",
    "\x1b[31mred",
    "\x9b31m",
    "gro\u202eup",
    "pay\u200dpal",
    "a\u200bb",
    "x\u2028y",
)
"""None of them can be shown as it is on one line."""
SEEN = {
    "Ada": "Ada",
    " Ada ": "Ada",
    "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627": "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
    "\U0001f469\u200d\U0001f4bb team": "\U0001f469\u200d\U0001f4bb team",
    "\u5c71\u7530\u3000\u592a\u90ce": "\u5c71\u7530 \u592a\u90ce",
    "N\xa0guyen": "N guyen",
}
"""A Persian name and an emoji need their joiner, a Japanese name is typed with a wide space."""


def call(site: Site, path: str, body: Mapping[str, object]) -> tuple[int, str]:
    """The status of one of the owner's requests, and the refusal's code."""
    answer = site.client.post(path, headers=bearer(site.token), json=body)
    return answer.status_code, str(answer.json().get("code", ""))


def assessment(site: Site) -> str:
    """An assessment's id."""
    answer = site.client.post("/v1/assessments", headers=bearer(site.token), json={"title": "Known"})
    return str(answer.json()["id"])


@pytest.mark.parametrize("text", INVISIBLE)
def test_what_cannot_be_shown_is_refused_at_every_door(site: Site, text: str) -> None:
    """Titles, names and labels are checked; the refusal names the field and does not blame its length."""
    known = assessment(site)
    assert call(site, "/v1/assessments", {"title": text}) == (422, "title")
    invite = {"name": text, "email": "ada@example.com"}
    assert call(site, f"/v1/assessments/{known}/invites", invite) == (422, "name")
    assert call(site, "/v1/tokens", {"role": "reviewer", "label": text}) == (422, "label")
    assert "one line" in str(text_fault(text, "a name", most=200))
    assert len(site.client.get("/v1/tokens", headers=bearer(site.token)).json()["tokens"]) == 1


@pytest.mark.parametrize(("text", "kept"), SEEN.items())
def test_what_other_scripts_need_is_taken(site: Site, text: str, kept: str) -> None:
    """Joiners of other scripts are kept, and their spaces become plain ones."""
    known = assessment(site)
    assert call(site, f"/v1/assessments/{known}/invites", {"name": text, "email": "ada@example.com"})[0] == 201
    made = site.client.post("/v1/assessments", headers=bearer(site.token), json={"title": text})
    label = site.client.post("/v1/tokens", headers=bearer(site.token), json={"role": "reviewer", "label": text})
    assert (made.json()["title"], label.json()["label"]) == (kept, kept)


def test_a_label_may_be_left_out(site: Site) -> None:
    """A label is optional; a title and a name are not."""
    assert call(site, "/v1/tokens", {"role": "reviewer", "label": " "})[0] == 201
    assert call(site, "/v1/assessments", {"title": "\u3000"}) == (422, "title")
    assert text_fault(normalised_text("\xa0"), "a name", most=5) == "a name must have 1 to 5 characters"


def test_an_organisation_is_called_by_what_can_be_shown(tmp_path: Path) -> None:
    """It is refused before anything is created, and input with a line break cannot start a line."""
    for text in INVISIBLE:
        done = run_command("init", "--data", tmp_path / "data", "--org", text, "--owner-email", "o@example.com")
        assert (done.returncode, "one line" in done.stderr) == (2, True), done.stderr
    done = run_command("init", "--data", tmp_path / "data", "--org", "Acme", "--owner-email", "a\nerror: b")
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: not an e-mail address: a\\nerror: b")
    assert not (tmp_path / "data").exists()


def test_bytes_that_are_no_text_are_called_that() -> None:
    """Bytes in another encoding are reported as such, not as control or invisible characters."""
    assert text_fault("\udcff", "a title", most=9) == "a title contains bytes that are not UTF-8"
