"""Reading: live from the inbox, sealed from the segment, the same bytes either way; every read is recorded."""

from __future__ import annotations

import io
import json
import logging
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.helpers.candidate import Candidate, bearer, started
from tests.helpers.site import Site, Template, copy_data, running_site

from promptster.protocol.documents import encode
from promptster.protocol.encoding import b64u_encode
from promptster.protocol.events import RecordedEvent
from promptster.protocol.events.fields import Secret, commitment
from promptster.protocol.verification import verify_bundle
from promptster_collector.settings import Limits
from promptster_collector.store.event_row import EventRow
from promptster_collector.store.parquet import query_page, read_rows, sandbox, write_rows
from promptster_collector.store.schema import Batch, Read, Segment


def get(site: Site, candidate: Candidate, what: str, token: str | None = None) -> Any:
    """The answer of one reading route."""
    return site.client.get(f"/v1/sessions/{candidate.session}/{what}", headers=bearer(token or site.token))


def a_session(site: Site, *, batches: int = 3) -> Candidate:
    """A session with text, numbers, a block and bytes, all sent and not closed."""
    candidate = started(site.client, site.token)
    for n in range(batches - 1):
        candidate.say(f"prompt {n}", f"and another {n}")
    candidate.batch(
        [
            candidate.event("command", src="hook", command="ls", exit_code=0, output="x" * 300_000),
            candidate.event("model_request", body_raw=b"\x00\xff", model="m"),
        ]
    )
    for n in range(batches):
        assert candidate.put(site.client, n).status_code == 200
    return candidate


def test_a_running_session_can_be_read(site: Site) -> None:
    """Events can be read in pages as soon as they are received and opened."""
    candidate = a_session(site)
    page = get(site, candidate, "events").json()
    assert page["state"] == "open"
    assert [event["seq"] for event in page["events"]] == [0, 1, 2, 3, 4, 5]
    assert page["events"][0]["fields"] == {"text": "prompt 0"}
    assert page["events"][4]["fields"]["output"] == "x" * 300_000
    assert page["events"][5]["fields"] == {"body_raw": "AP8", "model": "m"}
    second = get(site, candidate, "events?after=1&limit=2").json()
    assert ([event["seq"] for event in second["events"]], second["next"]) == ([2, 3], 3)
    assert get(site, candidate, "events?after=5").json() == {"state": "open", "events": [], "next": 5}
    for odd in ("limit=0", "limit=5001", "after=-2", "limit=x"):
        assert get(site, candidate, f"events?{odd}").status_code in {400, 422}


@pytest.mark.parametrize("seal", [False, True])
def test_a_page_is_bounded_in_bytes(template: Template, tmp_path: Path, *, seal: bool) -> None:
    """Large events make short pages with at least one event, and the pages together have everything."""
    data = tmp_path / "data"
    copy_data(template.data, data)
    with running_site(data, template.token, limits=Limits(page_bytes=50_000)) as site:
        candidate = started(site.client, site.token)
        candidate.say(*["x" * 30_000] * 3, "small", "small", "y" * 60_000)
        candidate.put(site.client, 0)
        candidate.close()
        candidate.put(site.client, 1)
        if seal:
            site.drain()
        pages: list[list[int]] = []
        after = -1
        while page := get(site, candidate, f"events?after={after}").json()["events"]:
            pages.append([event["seq"] for event in page])
            after = page[-1]["seq"]
        assert pages == [[0], [1], [2, 3, 4], [5], [6]]


def test_an_unknown_format_is_no_read(site: Site) -> None:
    """No content was sent, so no read is recorded, and the tombstone will not count it."""
    candidate = a_session(site)
    assert get(site, candidate, "export?format=nonsense").status_code == 422
    assert site.rows(select(Read)) == []


def test_sealing_changes_no_byte(site: Site) -> None:
    """Bundle, evidence and events are the same before and after the session was sealed and its bodies destroyed."""
    candidate = a_session(site)
    candidate.close()
    candidate.put(site.client, 3)

    async def all_but_sealing() -> None:
        for _ in range(3):
            await site.services.bundles.log.sequence()
            await site.services.checks.run()

    with site.client.portal() as portal:
        portal.call(all_but_sealing)
    assert get(site, candidate, "head").json()["state"] == "closing"
    before = {what: get(site, candidate, what).content for what in ("bundle", "evidence", "events")}
    site.drain()
    assert get(site, candidate, "head").json()["state"] == "sealed"
    assert [row.body_sealed for row in site.rows(select(Batch.body_sealed))] == [None] * 4
    for what, content in before.items():
        after = get(site, candidate, what).content
        if what == "events":
            assert json.loads(after)["events"] == json.loads(content)["events"]
        else:
            assert after == content
    assert get(site, candidate, "bundle").content == get(site, candidate, "bundle").content


def test_sealed_events_come_in_pages_too(site: Site) -> None:
    """A page of a sealed session's file is truncated by the query, and its blocks are found."""
    candidate = a_session(site)
    candidate.close()
    candidate.put(site.client, 3)
    site.drain()
    page = get(site, candidate, "events?after=3&limit=2").json()
    assert page["state"] == "sealed"
    assert [event["seq"] for event in page["events"]] == [4, 5]
    assert page["events"][0]["fields"]["output"] == "x" * 300_000


def test_a_changed_segment_is_not_served(site: Site) -> None:
    """A segment's hash is checked first: other bytes, and a missing file, are refused by name."""
    candidate = a_session(site)
    candidate.close()
    candidate.put(site.client, 3)
    site.drain()
    (file,) = (site.data / "segments").iterdir()
    good = file.read_bytes()
    file.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    answer = get(site, candidate, "bundle")
    assert (answer.status_code, answer.json()["code"]) == (503, "segment_damaged")
    file.unlink()
    assert get(site, candidate, "bundle").json()["code"] == "segment_damaged"
    file.write_bytes(good)
    assert get(site, candidate, "bundle").status_code == 200
    assert site.rows(select(Segment.size))[0].size == len(good)


def test_exports_come_in_every_format(site: Site) -> None:
    """Bundle, JSON Lines and page come from the same replay code that candidates use."""
    candidate = a_session(site)
    candidate.close()
    candidate.put(site.client, 3)
    site.drain()
    for token in (site.token, candidate.access_token):
        bundle = get(site, candidate, "export?format=bundle", token)
        assert bundle.content == get(site, candidate, "bundle", token).content
        assert "headers.jsonl" in zipfile.ZipFile(io.BytesIO(bundle.content)).namelist()
        lines = [json.loads(line) for line in get(site, candidate, "export?format=jsonl", token).text.splitlines()]
        assert [line["kind"] for line in lines][:2] == ["prompt", "prompt"]
        page = get(site, candidate, "export?format=html", token)
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "attachment" in page.headers["content-disposition"]
    answer = get(site, candidate, "export?format=docx")
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_format")


def test_every_read_is_written_down(site: Site) -> None:
    """The audit records who read what, even if it was the candidate."""
    candidate = a_session(site)
    for what in ("events", "evidence", "bundle", "export?format=jsonl"):
        get(site, candidate, what)
        get(site, candidate, what, candidate.access_token)
    rows = site.rows(select(Read.reader, Read.action, Read.token, Read.session).order_by(Read.id))
    assert [row.action for row in rows] == [
        action for action in ("events", "evidence", "bundle", "export") for _ in range(2)
    ]
    assert [row.reader for row in rows] == ["owner", "candidate"] * 4
    assert {row.session for row in rows} == {candidate.session}
    assert [row.token is None for row in rows] == [False, True] * 4


DUCKDB_TYPES = ["INTEGER", "BIGINT", "VARCHAR", "VARCHAR", "BIGINT", "BIGINT", "BIGINT", "BLOB", "BLOB", "BLOB"]
"""Of an event's columns, as they have been since the first version."""


def row(seq: int, text: bytes) -> EventRow:
    """An event's row."""
    return EventRow(
        n=seq // 100,
        seq=seq,
        src="proxy",
        kind="prompt",
        lane=0,
        ms=seq,
        mono_ms=seq,
        public=text,
        secrets=b"",
        blocks=text,
    )


def test_parquet_gives_back_what_it_got() -> None:
    """Rows come back in order, whole or in part, even if there are none."""
    rows = [row(seq, bytes([seq % 256]) * 50) for seq in range(5001)]
    data = write_rows(rows)
    assert data.startswith(b"PAR1")
    assert read_rows(data) == rows
    assert query_page(data, after=4989, limit=5, size=1 << 20) == rows[4990:4995]
    assert query_page(data, after=-1, limit=500, size=250) == rows[:2]
    assert query_page(data, after=-1, limit=500, size=0) == rows[:1]
    assert read_rows(write_rows([])) == query_page(write_rows([]), after=-1, limit=9, size=9) == []


def test_duckdb_reads_what_is_written(tmp_path: Path) -> None:
    """Any program that reads Parquet finds the events, in columns of the right types."""
    import duckdb  # noqa: PLC0415 - costs start-up time

    rows = [row(seq, bytes([seq]) * seq) for seq in range(200)]
    path = tmp_path / "piece.parquet"
    path.write_bytes(write_rows(rows))
    with duckdb.connect(":memory:") as connection:
        found = connection.execute(f"SELECT * FROM read_parquet('{path}')").fetchall()  # noqa: S608 - our own path
        types = connection.execute(f"DESCRIBE SELECT * FROM read_parquet('{path}')").fetchall()  # noqa: S608 - likewise
    assert found == [tuple(getattr(one, name) for name in EventRow.__struct_fields__) for one in rows]
    assert [kind for _, kind, *_ in types] == DUCKDB_TYPES


def test_segments_that_duckdb_wrote_are_read(tmp_path: Path) -> None:
    """Earlier versions wrote their pieces with DuckDB; they are read whole and in pages as before."""
    import duckdb  # noqa: PLC0415 - costs start-up time

    rows = [row(seq, bytes([seq]) * seq) for seq in range(200)]
    path = tmp_path / "piece.parquet"
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(EventRow.__struct_fields__, DUCKDB_TYPES, strict=True))
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"CREATE TABLE events ({columns})")
        values = [[getattr(one, name) for name in EventRow.__struct_fields__] for one in rows]
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        connection.execute(f"COPY events TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
        connection.execute(f"COPY (FROM events LIMIT 0) TO '{tmp_path / 'none'}' (FORMAT parquet, COMPRESSION zstd)")
    assert read_rows(path.read_bytes()) == rows
    assert query_page(path.read_bytes(), after=9, limit=3, size=1 << 20) == rows[10:13]
    assert read_rows((tmp_path / "none").read_bytes()) == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY (SELECT 1) TO '/tmp/promptster-leak.parquet'",
        "ATTACH '/tmp/promptster-leak.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access=true",
        "SET temp_directory='/tmp'",
    ],
)
def test_the_sandbox_reaches_nothing(statement: str) -> None:
    """A query can neither read nor write a file, load an extension, nor change the sandbox's settings."""
    import duckdb  # noqa: PLC0415 - costs start-up time

    with sandbox(0) as connection, pytest.raises(duckdb.Error):
        connection.execute(statement)


def test_sandboxes_share_nothing() -> None:
    """The data of one query is not available to the next."""
    import duckdb  # noqa: PLC0415 - costs start-up time

    assert query_page(write_rows([row(0, b"secret text of a session")]), after=-1, limit=1, size=1)
    with sandbox(0) as connection, pytest.raises(duckdb.Error):
        connection.execute("SELECT * FROM events")


def test_nothing_of_a_session_is_logged(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Log lines have no content, names, addresses or tokens, even after an error."""
    logging.getLogger("promptster_collector").propagate = True
    with caplog.at_level(logging.DEBUG):
        candidate = a_session(site)
        get(site, candidate, "bundle")
        get(site, candidate, "bundle", "pt_wrong")
        site.client.put(f"/v1/sessions/{candidate.session}/batches/1", content=b"junk")
    text = caplog.text
    for planted in ("prompt 0", "Cara", "cara@example.com", site.token, candidate.access_token, "xxxxx"):
        assert planted not in text


def referring(candidate: Candidate, block: bytes) -> RecordedEvent:
    """An event whose text is a block of an earlier batch."""
    seq = len(candidate.events)
    salt, stored = os.urandom(16), b"\x01" + block
    document: dict[str, Any] = {
        "v": 1,
        "seq": seq,
        "src": "proxy",
        "src_seq": candidate.counts["proxy"],
        "kind": "prompt",
        "ms": 1,
        "mono_ms": 1,
        "lane": 0,
        "refs": [],
        "r": b64u_encode(os.urandom(16)),
        "c": {"text": b64u_encode(commitment(salt, "text", stored))},
    }
    made = RecordedEvent.assemble(encode(document), {"text": Secret(salt, stored)})
    candidate.counts["proxy"] += 1
    candidate.events.append(made)
    return made


def test_blocks_of_earlier_batches_are_found(site: Site) -> None:
    """A value that is a block of an earlier batch is shown, live and sealed, and verifies."""
    candidate = started(site.client, site.token)
    long_text = "a long text " * 30_000
    candidate.say(long_text)
    (block,) = candidate.events[0].blocks
    candidate.batch([referring(candidate, block.id)])
    candidate.close()
    for n in range(3):
        assert candidate.put(site.client, n).status_code == 200
    live = get(site, candidate, "events?after=0").json()
    site.drain()
    sealed = get(site, candidate, "events?after=0").json()
    assert live["events"][0]["fields"]["text"] == sealed["events"][0]["fields"]["text"] == long_text
    found = verify_bundle(get(site, candidate, "bundle").content, trusted=[site.store.identity.fingerprint])
    assert found.verdict == "verified"
