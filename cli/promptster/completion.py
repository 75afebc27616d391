"""Completion in bash, zsh and fish, for both programs: the scripts, and the words that they offer.

A script runs ``PROGRAM __complete WORD...`` on every press of Tab. The answer has one line for each possible word,
``word<TAB>what it does``. The lines ``:files`` and ``:folders`` ask the shell to complete file names. Nothing here uses
the network or writes a file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

FILES = ":files"
FOLDERS = ":folders"
_ALTERNATIVES = re.compile(r"[\w-]+(?:\|[\w-]+)+")
"""An option whose metavar lists its values, such as ``keyring|file``."""
_NAMES = {
    "FILE": FILES,
    "KEYFILE": FILES,
    "SESSION_OR_FILE": FILES,
    "PATH_OR_URL": FILES,
    "DIR": FOLDERS,
}

_BASH = """\
# bash completion for PROGRAM
__FUNCTION() {
    local word=${COMP_WORDS[COMP_CWORD]} program=$1 line
    [ "$word" = "=" ] && word=
    command -v "$program" >/dev/null 2>&1 || program=PROGRAM
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            :files) __FUNCTION_names -f "$word" ;;
            :folders) __FUNCTION_names -d "$word" ;;
            ?*) COMPREPLY+=("${line%%$'\\t'*}") ;;
        esac
    done < <("$program" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
__FUNCTION_names() {
    local name
    compopt -o filenames 2>/dev/null
    while IFS= read -r name; do
        COMPREPLY+=("$name")
    done < <(compgen "$1" -- "$2")
}
complete -F __FUNCTION PROGRAM
"""

_ZSH = """\
#compdef PROGRAM
# zsh completion for PROGRAM
__FUNCTION() {
    local line names=
    local -a found
    for line in "${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        case $line in
            :files) names=_files ;;
            :folders) names=(_files -/) ;;
            ?*) found+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}") ;;
        esac
    done
    (( $#found )) && _describe PROGRAM found
    [[ -n $names ]] && $names
}
if [[ $funcstack[1] == _PROGRAM ]]; then
    __FUNCTION "$@"
else
    compdef __FUNCTION PROGRAM
fi
"""

_FISH = """\
# fish completion for PROGRAM
function __FUNCTION
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    for line in (PROGRAM __complete $words[2..-1] "$word" 2>/dev/null)
        switch $line
            case :files
                __fish_complete_path "$word"
            case :folders
                __fish_complete_directories "$word"
            case '*'
                echo $line
        end
    end
end
complete -c PROGRAM -f -a '(__FUNCTION)'
"""

_SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
SHELLS = tuple(_SCRIPTS)


class Parameter(Protocol):
    """An option or argument as typer's parser represents it."""

    name: str | None
    opts: list[str]
    secondary_opts: list[str]
    nargs: int
    metavar: str | None
    param_type_name: str


class ParserCommand(Protocol):
    """A command as typer's parser represents it; a group also has ``commands``."""

    params: list[Parameter]
    help: str | None


def script(shell: str, program: str) -> str:
    """Return the script that completes ``program`` in one of ``SHELLS``."""
    function = f"_{program.replace('-', '_')}_complete"
    return _SCRIPTS[shell].replace("__FUNCTION", function).replace("PROGRAM", program)


def matching(found: Iterable[tuple[str, str]], word: str) -> list[str]:
    """Return the lines for the words that begin with ``word``, each with what it does."""
    return [f"{text}\t{_first_sentence(about)}" for text, about in found if text.startswith(word)]


def typed(words: Sequence[str]) -> list[str]:
    """Return the words in one form for all shells: bash splits ``--format=html`` into three words."""
    kept: list[str] = []
    for place, word in enumerate(words):
        if word == "=" and place and words[place - 1].startswith("--"):
            if place == len(words) - 1:
                kept.append("")
            continue
        kept.append(word)
    return kept or [""]


def of_command(
    command: ParserCommand, words: Sequence[str], values: Mapping[str, Callable[[], Iterable[str]]] | None = None
) -> list[str]:
    """Return the lines that complete the last word of a command line.

    Args:
        command: the command or group.
        words: everything after its name; the word at the cursor is the last.
        values: functions that list the values of an argument or option, by metavar.
    """
    commands: Mapping[str, ParserCommand] | None = getattr(command, "commands", None)
    if commands is None:
        return _of_parameters(command.params, typed(words), values or {})
    words = typed(words)
    if len(words) == 1:
        about = {name: getattr(each, "short_help", None) or each.help or "" for name, each in commands.items()}
        return _or_help(list(about.items()), words[0])
    below = commands.get(words[0])
    return [] if below is None else of_command(below, words[1:], values)


def _or_help(found: list[tuple[str, str]], word: str) -> list[str]:
    return matching([("--help", "Show this message and exit.")] if word.startswith("-") else found, word)


def _of_parameters(
    parameters: Sequence[Parameter], words: Sequence[str], values: Mapping[str, Callable[[], Iterable[str]]]
) -> list[str]:
    *before, word = words
    options = {text: each for each in parameters for text in (*each.opts, *each.secondary_opts) if text[:1] == "-"}
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    given: set[str] = set()
    waiting: Parameter | None = None
    after_separator, position = False, 0
    for each in before:
        if waiting is not None:
            waiting = None
        elif after_separator or not each.startswith("-") or each == "-":
            position += 1
        elif each == "--":
            after_separator = True
        else:
            name, separator, _ = each.partition("=")
            option = options.get(name)
            if option is not None:
                given.update(() if getattr(option, "multiple", False) else (*option.opts, *option.secondary_opts))
                waiting = option if _takes_value(option) and not separator else None
    if waiting is not None:
        return _values(waiting, word, values)
    if word.startswith("-") and not after_separator:
        return _options(options, given, word, values)
    place = min(position, len(arguments) - 1) if arguments and arguments[-1].nargs == -1 else position
    if place < len(arguments):
        return _values(arguments[place], word, values)
    return [] if word or after_separator else _options(options, given, word, values)


def _options(
    options: Mapping[str, Parameter],
    given: set[str],
    word: str,
    values: Mapping[str, Callable[[], Iterable[str]]],
) -> list[str]:
    name, separator, begun = word.partition("=")
    if separator:
        option = options.get(name)
        if option is None or not _takes_value(option):
            return []
        return [line if line[:1] == ":" else f"{name}={line}" for line in _values(option, begun, values)]
    found = [
        (text, str(getattr(option, "help", "") or ""))
        for text, option in options.items()
        if text not in given and not getattr(option, "hidden", False) and (text.startswith("--") or word == text)
    ]
    return matching([*found, ("--help", "Show this message and exit.")], word)


def _takes_value(option: Parameter) -> bool:
    return not getattr(option, "is_flag", False)


def _values(parameter: Parameter, word: str, values: Mapping[str, Callable[[], Iterable[str]]]) -> list[str]:
    kind = parameter.metavar or (parameter.name or "").upper()
    if _ALTERNATIVES.fullmatch(kind):
        return matching([(each, "") for each in kind.split("|")], word)
    if kind in values:
        return matching([(each, "") for each in values[kind]()], word)
    return [_NAMES[kind]] if kind in _NAMES else []


def _first_sentence(text: str) -> str:
    return " ".join(text.split()).partition(". ")[0].rstrip(".")
