"""A study in plain text: for a terminal of 80 columns, and for a pipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from shlex import quote
from textwrap import wrap

from assay.core.decimals import fixed
from assay.core.events import Measured
from assay.core.history import Trial
from assay.report import log, why, words
from assay.report.answer import Change, Changes, compared
from assay.report.trials import TrialRow, TrialTable
from assay.report.view import View

WIDTH = 80


def summary(view: View, *, width: int = WIDTH, command: Callable[[str], str] | None = None) -> str:
    """The verdict, the gain next to its cost, the settings, and how to look further.

    Args:
        command: the command to type for a verb such as "resume", which names the storage where need
            be; None: the study is in the default storage.
    """
    card = view.card
    head = card.claim + (f"  [{card.badge}]" if card.badge else "")
    blocks = [[head, *wrap(card.sentence, width)]]
    if card.action:
        blocks[0].append(f"What to do: {card.action}.")
    facts = []
    if card.gain:
        facts.append(f"gain  {card.gain}")
    blocks.append([*facts, *wrap(f"cost  {card.spent}", width, subsequent_indent="      ")])
    if view.looks:
        blocks.append(wrap(f"luck  {view.looks}", width, subsequent_indent="      "))
    if view.shadow:
        said = " ".join(view.shadow.sentences[:2])
        blocks.append(wrap(f"shadow  {said}", width, subsequent_indent="        "))
    if view.changes:
        blocks.append(_settings(view.changes))
    if view.front:
        blocks.append(_front(view))
    blocks.append(
        _further(view, width, command or (lambda verb: f"assay {verb} {quote(view.name)}"))
    )
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def trials_table(
    table: TrialTable | None,
    *,
    most: int | None = 20,
    by_number: bool = False,
    width: int = WIDTH,
) -> str:
    """The best trials, best first, or the newest by number; `most=None` shows all.

    Failed and running trials come after those with a value.
    """
    if table is None:
        return "No trial has been run yet.\n"
    rows = [table.rows[number] for number in table.numbers(most, by_number=by_number)]
    cells = [_heads(table), *(_cells(row, table) for row in rows)]
    lines = _aligned(cells, width)
    left = len(table.rows) - len(rows)
    if left > 0:
        lines.append(f"{words.count(left, 'more trial')} not shown.")
    return "\n".join(lines) + "\n"


def _steps(table: TrialTable) -> str:
    first = words.name(table.objectives[0], 40)
    return "steps" if len(table.objectives) == 1 else f"steps ({first})"


def show(
    table: TrialTable, trial: Trial, measured: Sequence[Measured] = (), *, width: int = WIDTH
) -> str:
    """All that is known of one trial; `measured`: its evaluations in the order in which to show them."""
    row = table.rows[trial.number]
    facts = [("state", row.state), ("origin", trial.origin)]
    if trial.values:
        pairs = zip(table.objectives, trial.values, strict=True)
        facts += [(n, words.number(v, 6)) for n, v in pairs]
    facts += [(words.name(n, 40), words.number(v, 6)) for n, v in trial.extra.items()]
    if row.gain:
        noise = f", {words.number(row.multiple, 2)} × the noise" if row.multiple is not None else ""
        facts.append(("gain", f"{row.gain}{noise}"))
    facts.append(
        ("cost", f"{words.seconds(trial.cpu_s)} CPU, {words.seconds(trial.wall_s)} wall clock")
    )
    parts = [[f"Trial {trial.number}", *_listed(facts)], *_why(table, trial, width), _config(trial)]
    if measured:
        parts.append(["evaluations (repeat, fold, seed)", *_units(measured)])
    if trial.curve:
        shown = ", ".join(f"{step}: {words.number(value)}" for step, value in trial.curve[-20:])
        parts.append(
            [_steps(table), *wrap(shown, width - 2, initial_indent="  ", subsequent_indent="  ")]
        )
    if trial.moves:
        parts.append(["scheduler", *_moves(trial, width)])
    if trial.failure:
        reason = wrap(words.name(f"{trial.failure.kind}: {trial.failure.reason}", 2000), width - 2)
        output = [f"  | {line}" for line in words.lines(trial.failure.output)]
        parts.append(["failed", *(f"  {line}" for line in reason), *output])
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _moves(trial: Trial, width: int) -> list[str]:
    """What a scheduler did with a trial, and why."""
    lines: list[str] = []
    for move in trial.moves:
        text = log.in_words(move).removeprefix(f"trial {trial.number} ")
        lines += wrap(text, width - 2, initial_indent="  ", subsequent_indent="    ")
    return lines


def diff(table: TrialTable, a: Trial, b: Trial, *, floor: float | None) -> str:
    """What differs between two trials, and what that did; `floor`: the noise of such a comparison."""
    rows = [row for row in compared(a.config, b.config) if row.differs]
    lines = [f"Trial {a.number} → trial {b.number}"]
    lines += _listed(
        [(row.name, f"{row.before or 'not active'} → {row.after or 'not active'}") for row in rows]
    ) or ["  the same settings"]
    for name, was, now in zip(table.objectives, a.values or (), b.values or (), strict=False):
        lines.append(
            f"{name}: {words.number(was, 6)} → {words.number(now, 6)} ({words.signed(now - was, 4)})"
        )
    for trial in (a, b):
        if trial.values is None:
            lines.append(f"Trial {trial.number} has no value: it is {trial.state}.")
    if a.values and b.values and floor:
        lines.append(
            f"The noise of such a comparison (one standard error): {words.number(floor, 3)}"
        )
    return "\n".join(lines) + "\n"


def _settings(found: Changes) -> list[str]:
    lines = [
        found.title + ("; * marks what differs from the defaults" if found.against_control else "")
    ]
    assigned = [f"{row.name} = {row.after}" for row in found.rows if row.after is not None]
    wide = max(map(len, assigned), default=0)
    shown = (row for row in found.rows if row.after is not None)
    for row, text in zip(shown, assigned, strict=True):
        lines.append(f"  {_marked(row, text, wide) if found.against_control else text}")
    return lines


def _marked(row: Change, text: str, wide: int) -> str:
    if not row.differs:
        return f"  {text}"
    return f"* {text.ljust(min(wide, 44))}  (default {row.before if row.before is not None else 'not active'})"


def _front(view: View) -> list[str]:
    assert view.front is not None
    lines = ["Trials that no other beats in every objective"]
    for number, values in view.front.rows[:20]:
        shown = zip(view.front.objectives, values, strict=True)
        lines.append(f"  trial {number}: " + ", ".join(f"{n} {words.number(v)}" for n, v in shown))
    return lines


def _further(view: View, width: int, command: Callable[[str], str]) -> list[str]:
    verbs = {"report": "the whole report as a page", "trials": "what each trial did"}
    if view.standing.phase == "test":
        verbs = {"unseal": "open the sealed test set", **verbs}
    elif view.standing.phase not in ("finished", "stopped"):
        verbs = {"resume": "go on where it stopped", **verbs}
    commands = {command(verb): what for verb, what in verbs.items()}
    wide = max(map(len, commands))
    if 2 + wide + 3 + max(map(len, verbs.values())) <= width:
        return [f"  {typed.ljust(wide)}   {what}" for typed, what in commands.items()]
    return [line for typed, what in commands.items() for line in (f"  {what}:", f"    {typed}")]


def _heads(table: TrialTable) -> list[str]:
    gain = ["gain", "× noise"] if table.against_control else []
    return ["trial", *table.objectives, *gain, "state", "changed"]


def _cells(row: TrialRow, table: TrialTable) -> list[str]:
    values = [words.score(v) for v in row.values] if row.values else ["–"] * len(table.objectives)
    gain = []
    if table.against_control:
        times = fixed(row.multiple, 1) if row.multiple is not None else "–"
        gain = [
            row.gain.give_or_take if row.gain else "–",
            times,
        ]
    state = f"{row.state}, borrowed" if row.origin == "borrowed" else row.state
    return [str(row.number), *values, *gain, state, row.failure or row.changed]


def _aligned(cells: Sequence[Sequence[str]], width: int) -> list[str]:
    """Columns side by side; the last gets the rest of the line, at least 20 columns, and is cut there."""
    sizes = [min(max(map(len, column)), 30) for column in zip(*cells, strict=True)][:-1]
    room = max(width - sum(sizes) - 2 * len(sizes), 20)
    lines = []
    for *row, last in cells:
        texts = [_cut(text, size) for text, size in zip(row, sizes, strict=True)]
        numbers = [t.rjust(s) for t, s in zip(texts[:-1], sizes[:-1], strict=True)]
        lines.append("  ".join([*numbers, texts[-1].ljust(sizes[-1]), _cut(last, room)]).rstrip())
    return lines


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 1]}…"


def _listed(facts: Sequence[tuple[str, str]]) -> list[str]:
    wide = max((len(name) for name, _ in facts), default=0)
    return [f"  {name.ljust(wide)}  {fact}" for name, fact in facts]


def _why(table: TrialTable, trial: Trial, width: int) -> list[list[str]]:
    """Why it was proposed, as a block of lines; none if its proposer said nothing."""
    said = why.in_words(trial, table.objectives)
    return (
        [["why", *wrap(said, width, initial_indent="  ", subsequent_indent="  ")]] if said else []
    )


def _config(trial: Trial) -> list[str]:
    return ["settings", *(f"  {words.name(n)} = {words.exact(v)}" for n, v in trial.config.items())]


def _units(measured: Sequence[Measured]) -> list[str]:
    lines = [f"  {one.unit}  {words.number(one.value, 6)}  {one.stage}" for one in measured[:30]]
    if len(measured) > 30:
        stages = ", ".join(dict.fromkeys(one.stage for one in measured[30:]))
        lines.append(f"  … {len(measured) - 30} more ({stages})")
    return lines
