"""Real data that ship inside pip packages: scikit-learn, statsmodels, linearmodels and river. Nothing is downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np


@dataclass(frozen=True)
class DataSet:
    """Features (n, d), target (n,), and what is known of the rows."""

    name: str
    X: np.ndarray
    y: np.ndarray
    task: str
    groups: np.ndarray | None = None
    time: np.ndarray | None = None
    columns: tuple[str, ...] = ()


def _sklearn(name, task="classification", odd=False):
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    y = bunch.target % 2 if odd else bunch.target
    columns = tuple(map(str, bunch.feature_names))
    return np.asarray(bunch.data, float), np.asarray(y), task, columns


def _statsmodels(name, target, task, of=None, drop=()):
    import statsmodels.api as sm

    frame = getattr(sm.datasets, name).load_pandas().data.dropna().reset_index(drop=True)
    y = np.asarray(frame[target] if of is None else of(frame[target]))
    X = frame.drop(columns=[target, *drop])
    return np.asarray(X, float), y, task, tuple(map(str, X.columns))


def _river(name, task, pick=None, drop=(), most=None):
    from river import datasets

    rows = [(x, y) for x, y in getattr(datasets, name)()][:most]
    names = tuple(k for k in rows[0][0] if k not in drop)
    X = np.array([[float(x[k]) for k in names] for x, _ in rows])
    y = np.array([(y if pick is None else y[pick]) for _, y in rows])
    if task == "classification":
        y = np.unique(y, return_inverse=True)[1]
    return X, y, task, names


_LOAD = {
    "digits": lambda: _sklearn("digits", odd=True),
    "breast_cancer": lambda: _sklearn("breast_cancer"),
    "wine": lambda: _sklearn("wine"),
    "iris": lambda: _sklearn("iris"),
    "diabetes": lambda: _sklearn("diabetes", "regression"),
    "fair": lambda: _statsmodels("fair", "affairs", "classification", lambda y: (y > 0).astype(int)),
    "anes96": lambda: _statsmodels("anes96", "vote", "classification", lambda y: y.astype(int)),
    "randhie": lambda: _statsmodels("randhie", "mdvis", "regression", np.log1p),
    "star98": lambda: _statsmodels("star98", "NABOVE", "regression", np.log1p, ("NBELOW",)),
    "modechoice": lambda: _statsmodels(
        "modechoice", "choice", "classification", lambda y: y.astype(int), ("individual",)
    ),
    "engel": lambda: _statsmodels("engel", "foodexp", "regression"),
    "bananas": lambda: _river("Bananas", "classification"),
    "segments": lambda: _river("ImageSegments", "classification"),
    "phishing": lambda: _river("Phishing", "classification"),
    "shuttle": lambda: _river("Shuttle", "classification", most=10_000),
    "trump": lambda: _river("TrumpApproval", "regression", drop=("ordinal_date",)),
    "yeast": lambda: _river("Yeast", "classification", pick="Class1"),
    "macro": lambda: _statsmodels("macrodata", "infl", "regression", drop=("year", "quarter")),
    "co2": lambda: _series("co2", "co2"),
    "sunspots": lambda: _series("sunspots", "SUNACTIVITY"),
}  # fmt: skip
INDEPENDENT = (
    "digits", "breast_cancer", "wine", "iris", "diabetes", "fair", "anes96", "randhie", "star98",
    "modechoice", "engel", "bananas", "segments", "phishing", "shuttle", "trump", "yeast",
)  # fmt: skip
"""Tables of rows that are taken as independent, for simulated studies."""


def _solar():
    from river import datasets

    rows = list(datasets.SolarFlare())
    names = tuple(rows[0][0])
    columns = [np.unique([str(x[k]) for x, _ in rows], return_inverse=True)[1] for k in names]
    y = np.array([y["c-class-flares"] > 0 for _, y in rows]).astype(int)
    return np.column_stack(columns).astype(float), y, "classification", names


def _chicks():
    X, y, task, names = _river("ChickWeights", "regression")
    return X, y, task, names


def _series(name, column):
    """A series as a table: the next value from the last twelve."""
    import statsmodels.api as sm

    values = np.asarray(getattr(sm.datasets, name).load_pandas().data[column].dropna(), float)
    return _lagged(values)


def _water():
    from river import datasets

    return _lagged(np.array([float(y) for _, y in datasets.WaterFlow()]))


def _lagged(values, lags=12):
    windows = np.lib.stride_tricks.sliding_window_view(values, lags + 1)
    return (
        windows[:, :-1],
        windows[:, -1],
        "regression",
        tuple(f"lag{lags - i}" for i in range(lags)),
    )


_LOAD |= {"solar": _solar, "chicks": _chicks, "waterflow": _water}
ALL = tuple(_LOAD)

UNITS = {
    "chicks": "chick", "invest": "firm", "wages": "nr", "states": "STATE", "training": "fcode",
    "births": "country", "ocean": "YEAR", "travel": "individual",
}  # fmt: skip
"""Tables with several rows of one unit, and the column that has its number."""


def _wide(frame, unit, column, value):
    """One row for each unit and column, from one row for each unit."""
    long = frame.melt(id_vars=unit, var_name=column, value_name=value).dropna()
    return long.astype({column: float}).sort_values([unit, column])


def _units(name):
    """(table, target) of a table whose rows belong together."""
    import statsmodels.api as sm
    from linearmodels.datasets import jobtraining, munnell, wage_panel

    if name == "invest":
        return sm.datasets.grunfeld.load_pandas().data.assign(
            invest=lambda f: np.log(f.invest)
        ), "invest"
    if name == "wages":
        return wage_panel.load().drop(columns="expersq"), "lwage"
    if name == "states":
        return munnell.load().drop(columns="ST_ABB"), "UNEMP"
    if name == "training":
        kept = ["fcode", "year", "employ", "sales", "union", "grant", "hrsemp", "lavgsal"]
        return jobtraining.load()[kept], "lavgsal"
    if name == "births":
        frame = sm.datasets.fertility.load_pandas().data.rename(columns={"Country Code": "country"})
        years = [c for c in frame.columns if c.isdigit()]
        return _wide(frame[["country", *years]], "country", "year", "births"), "births"
    if name == "ocean":
        frame = sm.datasets.elnino.load_pandas().data
        months = dict(zip(frame.columns[1:], range(1, 13), strict=True))
        return _wide(frame.rename(columns=months), "YEAR", "month", "degrees"), "degrees"
    frame = sm.datasets.modechoice.load_pandas().data
    return frame.astype({"choice": int}), "choice"


def _mroz():
    from linearmodels.datasets import mroz

    kept = [
        "kidslt6",
        "kidsge6",
        "age",
        "educ",
        "husage",
        "huseduc",
        "faminc",
        "unem",
        "city",
        "exper",
    ]
    frame = mroz.load()[[*kept, "inlf"]].dropna()
    return frame[kept].to_numpy(float), frame.inlf.to_numpy(int), "classification", tuple(kept)


def _meps():
    """Whether a firm or a union insures, of people above 65."""
    from linearmodels.datasets import meps

    frame = meps.load().drop(columns=["drugexp", "ldrugexp", "private"]).dropna()
    y = frame.pop("hi_empunion").to_numpy(int)
    return frame.to_numpy(float), y, "classification", tuple(map(str, frame.columns))


def _union():
    """Whether a man is in a union, one year of each man."""
    from linearmodels.datasets import wage_panel

    frame = wage_panel.load().groupby("nr").first().drop(columns=["year", "expersq"])
    y = frame.pop("union").to_numpy(int)
    return frame.to_numpy(float), y, "classification", tuple(map(str, frame.columns))


_LOAD |= {"mroz": _mroz, "meps": _meps, "wages_union": _union}


def _of_units(name):
    frame, target = _units(name)
    frame = frame.dropna().reset_index(drop=True)
    groups = np.unique(frame[UNITS[name]].to_numpy(), return_inverse=True)[1]
    X = frame.drop(columns=[target, UNITS[name]])
    task = "classification" if name == "travel" else "regression"
    columns = tuple(map(str, X.columns))
    return X.to_numpy(float), frame[target].to_numpy(), task, columns, groups


@cache
def data_set(name: str) -> DataSet:
    """The data set of this name; see `ALL` and `UNITS`."""
    if name in UNITS and name not in _LOAD:
        X, y, task, columns, groups = _of_units(name)
        return DataSet(name, X, y, task, groups, None, columns)
    X, y, task, columns = _LOAD[name]()
    groups = time = None
    if name == "chicks":
        groups = X[:, columns.index("chick")].astype(int)
        keep = [i for i, c in enumerate(columns) if c != "chick"]
        X, columns = X[:, keep], tuple(columns[i] for i in keep)
    if name in ("macro", "co2", "sunspots", "waterflow"):
        time = np.arange(len(y))
    return DataSet(name, X, y, task, groups, time, columns)
