"""``promptster start``: read what would be recorded, agree or leave, and start recording."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from promptster.commands import needed
from promptster.commands.options import Code, CollectorOption, JsonOption, read_code, store_kind
from promptster.protocol.agents import CATALOGUE, EDITORS, one_of

if TYPE_CHECKING or needed.work:
    from promptster.clock import SystemClock
    from promptster.commands.addresses import check_accepted, settle_addresses, tell_overridden
    from promptster.commands.consenting import ask_consent, declined, interrupted, require_a_person
    from promptster.config import Config, PinnedKeys
    from promptster.errors import CollectorError, InterruptError, PromptsterError, UsageError, WorkspaceError, reason_of
    from promptster.network import names_host
    from promptster.paths import Paths, home_path
    from promptster.protocol.confirmation import confirmation_code
    from promptster.protocol.invite import InviteCode
    from promptster.secret_store import choose_store
    from promptster.session.allowed_agents import allowed_names, may_be_used
    from promptster.session.joining import redeeming as attempts
    from promptster.session.joining import starting
    from promptster.session.joining.consent import check_accepted_hash
    from promptster.session.joining.offer import fetch_offer
    from promptster.session.leaving.withdrawing import tidy
    from promptster.session.resuming import prepare_editors
    from promptster.session.workspace.preparing import prepare
    from promptster.session_folder.choices import Choices
    from promptster.session_folder.collector_keys import KEYS
    from promptster.session_folder.wording import one_line, shell_path
    from promptster.times import soon, until, utc
    from promptster.ui.labels import sentence_lines
    from promptster.ui.output import Output
    from promptster.ui.questions import confirm, is_terminal
    from promptster.ui.wrapping import USUAL_WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from promptster.protocol.consent import Certificate
    from promptster.protocol.policy import Policy
    from promptster.secret_store import StoreKind
    from promptster.session.joining.offer import Offer
    from promptster.session.workspace.preparing import Preparation
    from promptster.session_folder.choices import PathCheck

_OFTEN = frozenset(agent.program for agent in CATALOGUE if agent.upstreams)
"""Agents that are named after a start; the others need an explanation."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The checked command line."""

    workspace: Path
    accept_policy: str | None
    store: StoreKind | None
    overrides: Mapping[str, str]
    ide: tuple[str, ...]
    hooks_only: bool
    accept_providers: tuple[str, ...] = ()


def command(
    code: Code = None,
    *,
    collector: CollectorOption = None,
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", "-w", metavar="DIR", help="Folder to work in; the current folder by default."),
    ] = None,
    accept_policy: Annotated[
        str | None,
        typer.Option(metavar="sha256:HEX", help="Agree to the policy with this hash; promptster policy prints it."),
    ] = None,
    accept_provider: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Agree that your API key is sent to this unusual address. Can be repeated."),
    ] = None,
    secrets: Annotated[
        str | None,
        typer.Option(
            metavar="keyring|file", help="Where to keep this session's keys; the keyring by default, if it works."
        ),
    ] = None,
    upstream: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=URL", help="Send a provider's traffic to a server on this computer; the recording says so."
        ),
    ] = None,
    ide: Annotated[
        list[str] | None,
        typer.Option(metavar="|".join(EDITORS), help="Also record the agent inside this editor. Can be repeated."),
    ] = None,
    hooks_only: Annotated[
        bool,
        typer.Option(
            "--hooks-only", help="Record only tool calls, through hooks, if your agent uses a company provider."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Read what would be recorded, agree or leave, and start recording.

    If you leave, nothing is changed. After you agree, your workspace is prepared, and a recorder runs in the background
    until you submit, stop or withdraw. If the command is interrupted, run it again.

    Example: promptster start LINK --workspace ~/limiter
    """
    out = Output(json)
    options = Options(
        workspace=workspace or Path.cwd(),
        accept_policy=accept_policy,
        store=store_kind(secrets),
        overrides=_overrides(upstream or []),
        ide=_ides(ide or []),
        hooks_only=hooks_only,
        accept_providers=tuple(accept_provider or ()),
    )
    text = read_code(code, "start")
    config = Config.load(Paths.from_environment())
    begun = attempts.find_attempt(InviteCode.parse(text), config)
    starting.refuse_second_session(config.paths, except_for=begun.folder if begun else None)
    if begun is None:
        try:
            offer = fetch_offer(text, collector, config, SystemClock())
            begun, made = _agree_and_open(offer, options, config, out)
        except KeyboardInterrupt:  # what was prepared is already undone
            raise InterruptError(hint="Nothing was recorded, and your invite was not used.") from None
    else:
        now = SystemClock().wall_ms()
        out.note(f"Continuing: you agreed at {soon(begun.folder.facts().created_ms, now)}.")
        made = None
    try:
        _go_on(begun, InviteCode.parse(text), made, config, out)
    except KeyboardInterrupt:
        raise InterruptError(
            hint="You agreed, and your consent is kept. Run the same `promptster start` again to continue."
        ) from None


def _agree_and_open(
    offer: Offer, options: Options, config: Config, out: Output
) -> tuple[attempts.Attempt, Preparation]:
    """Everything from the offer to the saved request; leaving changes nothing."""
    clock = SystemClock()
    _check_allowed(offer.policy, options)
    plan = starting.plan_start(
        offer, workspace=options.workspace, overrides=options.overrides, paths=config.paths, network=config.network
    )
    _check_editors(plan, options)
    check_accepted(plan.unusual, options.accept_providers)
    shown_ms = clock.wall_ms()
    try:
        hooks_only = _settle_findings(plan, options, out)
        _consent(offer, plan, options, out)
    except KeyboardInterrupt:
        raise interrupted(offer) from None
    decided_ms = clock.wall_ms()
    choices = Choices(
        ide=options.ide,
        hooks_only=tuple(hooks_only),
        accept_provider=tuple(address.name for address in plan.unusual),
    )
    with starting.exclusive_start(config.paths):
        made = prepare(plan.workspace)
        try:
            _check_editors(plan, options)  # the clone may contain a file that cannot be changed
            checks = starting.check_paths(plan.upstreams, config.network)
            _tell_checks(checks, out)
            session = attempts.new_session_id()
            store = choose_store(options.store, config.paths.sessions / session / "secrets.json", _wrapped(out))
            kept = replace(choices, path_check=checks)
            facts = starting.facts_for(session, offer, plan, created_ms=decided_ms, secrets=store.kind, choices=kept)
            agreement = attempts.Agreement(offer=offer, choices=choices, shown_ms=shown_ms, decided_ms=decided_ms)
            return attempts.open_attempt(agreement, facts, store, config), made
        except BaseException:
            made.undo()
            raise


def _wrapped(out: Output) -> Callable[[str], None]:
    """A function that prints a note as a sentence, wrapped to the screen."""

    def note(text: str) -> None:
        for line in sentence_lines(f"{text[:1].upper()}{text[1:]}."):
            out.note(line)

    return note


def _check_allowed(policy: Policy, options: Options) -> None:
    """Refuse an editor whose agent the assessment does not allow."""
    for ide in options.ide:
        if not may_be_used(ide, policy):
            raise UsageError(
                f"this assessment does not allow the agent of --ide {ide}",
                hint=f"Nothing was changed. Leave out --ide {ide}.",
                code="agent_not_allowed",
            )


def _check_editors(plan: starting.StartPlan, options: Options) -> None:
    """Refuse early if a file of the editor could not be changed later."""
    if not options.ide:
        return
    from promptster.session.launch.editor_files import check_ide  # noqa: PLC0415 - needed for start --ide only

    for ide in options.ide:
        check_ide(plan.workspace.root, ide)


def _go_on(begun: attempts.Attempt, code: InviteCode, made: Preparation | None, config: Config, out: Output) -> None:
    """Everything from the saved request to a running recorder; running the command again repeats it."""
    folder = begun.folder
    with starting.exclusive_start(config.paths):
        starting.refuse_second_session(config.paths, except_for=folder)
        try:
            certificate = attempts.redeem(begun, code, config, SystemClock())
        except CollectorError:
            if made is not None and not folder.path.exists():  # the refusal is final
                made.undo()
            raise
        facts = folder.facts()
        started = starting.run_session(begun, certificate, config.paths)
    _pin(facts.collector_url, folder.read_document(KEYS), code, config, out)
    tidy(config.paths, SystemClock().wall_ms())
    ide_files = _prepare_editors(started, out)
    checks = facts.choices.checks()
    out.result(
        {
            "session": facts.session,
            "proxy": {"url": f"http://127.0.0.1:{started.port}", "port": started.port, "upstreams": checks},
            "state_dir": str(folder.path),
            "workspace": facts.workspace,
            "organisation": facts.organisation,
            "title": facts.title,
            "record_until": utc(facts.record_until),
            "confirmation_code": confirmation_code(certificate.session_public_key),
            "files": len(started.baseline.files),
            "ide_files": ide_files,
        }
    )
    if not out.json:
        _tell_next_step(started, certificate, ide_files, out)


def _prepare_editors(started: starting.Started, out: Output) -> list[str]:
    """Change the files of editors and return their paths; a failure only warns, because the session is running."""
    try:
        made = [str(path) for path in prepare_editors(started.current)]
        _warn_of_tracked(started, out)
    except WorkspaceError as error:
        out.note(f"warning: {error.message}: agents inside your editor are not recorded")
        out.note("Fix this, then run `promptster resume`. Everything else is recorded.")
        return []
    return made


def _warn_of_tracked(started: starting.Started, out: Output) -> None:
    """Warn about files that git already tracks, because they cannot be kept out of commits."""
    if not started.current.facts.choices.ide:
        return
    from promptster.session.launch.editor_files import tracked_files  # noqa: PLC0415 - needed for start --ide only

    for relative in tracked_files(started.current):
        out.note(f"warning: git tracks {relative}; do not commit it until the session ends")


def _pin(url: str, keyfile: bytes, code: InviteCode, config: Config, out: Output) -> None:
    """Save the collector's keys for ``promptster verify``; a failure only warns, as the session does not need them."""
    try:
        PinnedKeys(config.paths).pin(url, keyfile, root=code.pin)
    except (PromptsterError, OSError) as error:
        out.note(f"warning: could not save the collector's keys for promptster verify: {reason_of(error)}")


def _settle_findings(plan: starting.StartPlan, options: Options, out: Output) -> list[str]:
    """The agents that are recorded only through hooks, if the candidate agrees."""
    agents = sorted({finding.agent for finding in plan.findings})
    if not agents or options.hooks_only:
        return agents
    sentences = "; ".join(finding.sentence() for finding in plan.findings)
    if options.accept_policy is None and not out.json and is_terminal():
        for line in sentence_lines(f"{sentences[:1].upper()}{sentences[1:]}."):
            out.note(line)
        out.note("Its conversation cannot be recorded, only its tool calls, through hooks.")
        confirm(
            "Continue with tool calls only?",
            yes=False,
            json=False,
            act="starting",
            refused="Nothing was changed and nothing was recorded.",
            code="company_provider",
        )
        return agents
    raise PromptsterError(
        f"{sentences}: its calls would not be recorded",
        hint="Nothing was changed. Remove that setting to use your own account, or add --hooks-only to record only "
        "tool calls.",
        code="company_provider",
    )


def _consent(offer: Offer, plan: starting.StartPlan, options: Options, out: Output) -> None:
    """Get consent by the word or the policy's hash, and a yes to every provider at an unusual address."""
    if options.accept_policy is not None:
        check_accepted_hash(offer, options.accept_policy)
        tell_overridden(plan.overridden, out)
    else:
        require_a_person(offer, out)
        ask_consent(offer, plan.workspace.sentence(), out, before=lambda: tell_overridden(plan.overridden, out))
    if not settle_addresses(offer, plan.unusual, options.accept_providers, out):
        raise declined(offer)


def _tell_checks(checks: Mapping[str, PathCheck], out: Output) -> None:
    """Print which providers cannot be reached, grouped by reason."""
    found: dict[str, list[str]] = {}
    for name, check in checks.items():
        if not check.ok:
            reason = check.reason.removeprefix(f"{name} could not be reached: ")
            found.setdefault(reason, []).append(name)
    for reason, names in found.items():
        it = "it" if len(names) == 1 else "one of them"
        listed = " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        text = f"Cannot reach {listed} from here: {reason}. This matters only if your agent uses {it}."
        for line in sentence_lines(text):
            out.note(line)


def _tell_next_step(started: starting.Started, certificate: Certificate, ide_files: list[str], out: Output) -> None:
    now, record_until = SystemClock().wall_ms(), started.current.facts.record_until
    out.say(f"Recording {until(record_until, now)}." if record_until else "Recording.")
    who = one_line(certificate.organisation)
    out.say(f"Confirmation code: {confirmation_code(certificate.session_public_key)}")
    same = f"{who} sees the same code for your session."
    for line in sentence_lines(f"{same} If theirs differs, someone else used your invite: tell {who}."):
        out.say(line)
    if ide_files:
        out.say("Changed for your editor, and put back at the end:")
        for file in ide_files:
            out.say(f"  {home_path(file)}")
    out.say()
    out.say(f"  cd {shell_path(started.current.workspace)}")
    out.say(agents_line(allowed_names(started.current.folder) or ("AGENT",)))
    out.say("  promptster inspect        see what is recorded")
    out.say("  promptster pause          take a break (the clock keeps running)")
    out.say("  promptster submit         submit your work")


def agents_line(programs: Sequence[str], *, often: Collection[str] = _OFTEN) -> str:
    """How to start an agent: the first program, others as far as they fit into a line, and a shell for any of them.

    Of the others only those in ``often`` are named.
    """
    first, *others = programs
    line, end = f"  {f'promptster run {first}':<25} or: ", "promptster shell"
    for name in others:
        longer = f"{line}promptster run {name}, "
        if name in often and len(longer + end) <= USUAL_WIDTH:
            line = longer
    return line + end


def _ides(words: list[str]) -> tuple[str, ...]:
    for word in words:
        if word not in EDITORS:
            raise UsageError(f"--ide takes {one_of(EDITORS)}, not {word!r}")
    return tuple(sorted(set(words)))


def _overrides(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, separator, url = word.partition("=")
        if not separator or not url.startswith(("http://", "https://")) or not names_host(url):
            raise UsageError(
                f"--upstream takes NAME=URL, not {word!r}", hint="For example anthropic=http://127.0.0.1:8080."
            )
        found[name] = url
    return found
