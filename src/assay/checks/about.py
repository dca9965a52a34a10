"""What each check looks for, when it speaks, what to do, and when it is wrong: the text of docs/checks."""

from __future__ import annotations

from dataclasses import dataclass

from assay.checks.finding import TITLES


@dataclass(frozen=True)
class About:
    """What a check means; code stands between backquotes.

    Attributes:
        looks: what it looks at, and why.
        levels: its thresholds.
        remedy: what to do when it speaks.
        wrong: when it speaks without need, or keeps silent; empty if nothing is known.
    """

    looks: str
    levels: str
    remedy: str
    wrong: str = ""


ABOUT = {
    "PF01": About(
        "A model that has seen a row knows its answer. Counted are validation rows that equal a "
        "training row in every feature and in the target, and sealed rows that equal a "
        "development row (nothing else of the sealed rows is looked at).",
        "care above 0.5 %, fix first above 5 %, from five rows on. Where no column tells most "
        "different rows apart, equal rows may be different units that look alike: then it is a "
        "note.",
        "Drop the copies. If one unit has several rows, name its column: `--groups COLUMN`.",
        "Tables of a few coarse columns (survey answers) have twins by chance.",
    ),
    "PF02": About(
        "Rows that share all their features and differ in class cannot all be right: the share "
        "that can be is a ceiling for the accuracy on these rows.",
        "care if the ceiling is below 90 %, else a note.",
        "Only more or better columns lift it.",
        "The ceiling is that of these rows; with more rows it falls.",
    ),
    "PF03": About(
        "Rows of one person, firm, animal or machine are alike. Drawn one by one they stand on both "
        "sides of a split, and the score is that for units already known. Suspected are columns "
        "that are called like an id or a unit (`customer`, `firm`, `patient`), columns whose values "
        "stand in blocks, and columns that stay the same from row to row. Then a forest is scored "
        "with rows drawn one by one and with units kept together.",
        "fix first if the share of explained variance falls by more than 15 % (20 % where no "
        "column is called like an id), 0.05 and two (three) standard errors; care from half of "
        "that.",
        "`--groups COLUMN`.",
        "If you will predict for the very same units, rows drawn one by one are right: override "
        "it. It is silent where a column of numbers has a name that says nothing and the rows were "
        "shuffled: of eight tables with several rows of one unit six were refused as they come, and "
        "two once their rows were shuffled (`tests/slow/results/units.json`). If you know of units, "
        "say so by `--groups`.",
    ),
    "PF04": About(
        "A tree of depth 3 sees each feature alone. One that explains nearly all that a forest "
        "explains from all of them, far ahead of the next, is often a copy of the answer.",
        "care if it explains at least 70 % of the variance, 95 % of what all explain, and the "
        "next feature at most 60 % of it; fix first from 90 % on.",
        "Ask whether the feature is known before the target. If not, `--drop` it.",
        "An honest feature can be that good; then there is little left to tune.",
    ),
    "PF05": About(
        "A cell that is filled in only afterwards gives the answer away by being there. A small "
        "tree sees only which cells are missing, and another only the place of a row in the file.",
        "gaps: care above 10 % of the variance; fix first above 35 % and 80 % of what a forest "
        "explains. Order: care above 10 % if a feature counts the rows, fix first above 35 %; "
        "else a note.",
        "Ask why cells are missing; drop counters of rows; say `--time` if the order is time.",
        "Missingness may be honest information.",
    ),
    "PF06": About(
        "If a column orders the rows in time, a forest is scored on random splits and trained on "
        "the past only.",
        "fix first if the explained variance falls by more than 20 %, 0.05 and three standard "
        "errors; care from half of that; a note if a time is suspected.",
        "`--time COLUMN`.",
        "A counter that is no time can look like one.",
    ),
    "PF07": About(
        "Constant, one value in 99.5 % of rows, different in every row (text), or a copy of "
        "another (correlation above 0.999).",
        "a note.",
        "`--drop` them if you like.",
        "Rare values can matter.",
    ),
    "PF08": About(
        "Counted by column, and beside each other on both sides of grouped and forward splits.",
        "care if a column differs by more than 10 points between both sides; a note above half.",
        "Ask why they moved.",
    ),
    "PF09": About(
        "Confident learning (Northcutt et al. 2021): labels that a forest trained on other rows "
        "does not believe. Overlapping classes look the same, so the forest is trained again "
        "without the suspects: only where classes then come apart are labels blamed. And training "
        "without them is tried with your model, on validation rows that keep their labels. Of a long table "
        "4,000 rows are looked at, evenly spaced.",
        "care above 3 %; fix first above 10 % where your model was shown to gain more than the "
        "smallest gain.",
        "Look at the suspect rows.",
        "Wrong labels among classes that overlap are not found: 15 % of flips in the `fair` data "
        "went unnoticed.",
    ),
    "PF10": About(
        "A majority that accuracy cannot see past; a class with so few rows that ranking it is "
        "luck.",
        "care if accuracy is the metric and one class has more than 80 %; fix first below 10 rows "
        "of a class for AUC, average precision, F1, precision, recall; a note below 30.",
        "Another metric, or more rows.",
    ),
    "PF11": About(
        "(t₀.₉₇₅ + t₀.₈) · s · √(1/J + n₂/n₁): what the planned fresh splits find with 80 % "
        "power. s is the spread of paired differences. More repeats do not help beyond s · "
        "√(n₂/n₁). For accuracy also the test rows that are needed (Connor 1987).",
        "a note if the smallest gain was assumed; if you asked for it: care if it cannot be seen, "
        "fix first if three times as much could not be.",
        "More rows, a metric with less noise, or a larger gain.",
        "s comes from ten configs, or from two seeds.",
    ),
    "PF12": About(
        "For grouped and forward splits a forest tells the last validation part from its training "
        "part; the features that moved are named (Kolmogorov–Smirnov, Benjamini–Hochberg).",
        "a note above an AUC of 0.75, care above 0.9.",
        "Trust recent rows more.",
        "Time itself, as a feature, is always told apart.",
    ),
    "PF13": About(
        "The control with the same seed, and with another.",
        "care if the same seed gives another score; a note if another seed does.",
        "Give every source of chance its seed.",
        "Threads may add numbers in another order.",
    ),
    "PF14": About(
        "The control on 25, 50, 75 and 100 % of its training rows, and a + b·n⁻ᶜ through the "
        "losses.",
        "a note with what a quarter more rows and twice as many would bring.",
        "Compare it with what tuning brings.",
        "Four points on three folds: a rough guide.",
    ),
    "PF15": About(
        "The control beside a model without features, and beside an untuned linear model and "
        "untuned boosting on the same folds (corrected paired t).",
        "care if it is not shown to be better than the first, or if one of the others is shown to "
        "be better by more than the smallest gain; a note where the first has the best value there is, "
        "as recall where every row is called positive.",
        "Change the model, then tune.",
        "For model families that you may not use, ignore it.",
    ),
    "PF16": About(
        "Ten random configs: how far they are from the control, beside the noise floor.",
        "a note if they are inside the noise, or if the best stays below the smallest gain.",
        "The defaults may do.",
        "A narrow optimum can be missed by ten.",
    ),
    "PF17": About(
        "Perfect predictions must be the best. On shuffled targets the control must not be better "
        "than a model without features.",
        "fix first if it is, by three standard errors and a tenth of the way to perfect.",
        "Look for copies of rows (PF01) and models that remember data.",
    ),
    "PF18": About(
        "Features that are standardised or scaled over all rows, or parts of the model that come "
        "fitted.",
        "a note.",
        "Put what is fitted into a pipeline.",
        "Scaling alone leaks next to nothing; selection, PCA and target encoding do.",
    ),
}
"""By the code of the check."""


def page(code: str) -> str:
    """The page of a check in the documentation.

    >>> page("PF14").splitlines()[0]
    '# PF14 Would more rows help?'
    """
    about = ABOUT[code]
    parts = (
        f"# {code} {TITLES[code]}",
        about.looks,
        f"**Levels**: {about.levels}",
        f"**What to do**: {about.remedy}",
    )
    wrong = (f"**When it is wrong**: {about.wrong}",) if about.wrong else ()
    return "\n\n".join((*parts, *wrong)) + "\n"
