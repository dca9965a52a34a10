"""Surrogates of real tuning runs (YAHPO Gym: Pfisterer et al. 2022, arXiv:2109.03670)."""

from __future__ import annotations

import json
import math
from functools import cache

import numpy as np

from benchmarks.search.params import Param, parents_first
from benchmarks.search.problems import Problem, data

_XGBOOST = (
    "nrounds eta gamma lambda alpha subsample max_depth min_child_weight colsample_bytree "
    "colsample_bylevel rate_drop skip_drop"
)


def _named(prefix, names):
    return [f"{prefix}.{name}" for name in names.split()]


# numbers and categories in the order in which a model takes them, outputs in the order in which it
# gives them, the instance, and what is fixed at full fidelity
_SCENARIOS = {
    "lcbench": {
        "numbers": "epoch batch_size learning_rate momentum weight_decay num_layers max_units "
        "max_dropout",
        "categories": "OpenML_task_id",
        "outputs": "time val_accuracy val_cross_entropy val_balanced_accuracy test_cross_entropy "
        "test_balanced_accuracy",
        "instance": "OpenML_task_id",
        "fixed": {"epoch": 52},
    },
    "rbv2_xgboost": {
        "numbers": f"{_XGBOOST} trainsize repl",
        "categories": "task_id booster num.impute.selected.cpo",
        "outputs": "acc bac auc brier f1 logloss timetrain timepredict memory",
        "instance": "task_id",
        "fixed": {"trainsize": 1.0, "repl": 10},
    },
    "rbv2_svm_pre": {
        "numbers": "cost gamma tolerance degree trainsize repl",
        "categories": "task_id kernel num.impute.selected.cpo",
        "outputs": "mmce f1 auc logloss timetrain timepredict",
        "instance": "task_id",
        "fixed": {"trainsize": 1.0, "repl": 10},
    },
    "iaml_super_pre": {
        "numbers": " ".join(
            [
                *_named(
                    "ranger",
                    "num.trees sample.fraction mtry.ratio min.node.size num.random.splits",
                ),
                *_named("rpart", "cp maxdepth minbucket minsplit"),
                *_named("glmnet", "alpha s"),
                *_named("xgboost", _XGBOOST),
                "trainsize",
            ]
        ),
        "categories": "task_id learner ranger.replace ranger.respect.unordered.factors "
        "ranger.splitrule xgboost.booster",
        "outputs": "mmce f1 auc logloss ramtrain rammodel rampredict timetrain timepredict mec "
        "ias nf",
        "instance": "task_id",
        "fixed": {"trainsize": 1.0},
    },
}
_MAXIMISED = {"acc", "bac", "auc", "f1", "val_accuracy"}
_TIMES = {"time", "timetrain", "timepredict"}  # as one of two objectives: their logarithm
_BATCH = 2000


@cache
def _model(scenario):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = 3
    path = data() / "yahpo" / scenario / "model.onnx"
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@cache
def _described(scenario, what):
    return json.loads((data() / "yahpo" / scenario / f"{what}.json").read_text())


class Surrogate(Problem):
    def __init__(self, name):
        super().__init__(name)
        self.scenario, instance, targets = name.split(":")[1].split("/")
        meta = _SCENARIOS[self.scenario]
        self.targets = targets.split("+")
        self.objectives = len(self.targets)
        self.outputs = [meta["outputs"].split().index(t) for t in self.targets]
        self.numbers, self.categories = meta["numbers"].split(), meta["categories"].split()
        self.fixed = {**meta["fixed"], meta["instance"]: instance}
        self.codes = _described(self.scenario, "encoding")
        if instance not in self.codes[meta["instance"]]:
            raise ValueError(f"{self.scenario} has no instance {instance}.")
        self.space = _space(_described(self.scenario, "config_space"), {*self.fixed, "repl"})

    def losses(self, config, rng=None):
        return self.many([config])[0]

    def many(self, configs):
        return [self._losses(row) for row in self._outputs(configs)]

    def _outputs(self, configs):
        model = _model(self.scenario)
        full = [{**config, **self.fixed} for config in configs]
        codes = [[self.codes[k][c.get(k, "#na#")] for k in self.categories] for c in full]
        numbers = [[c.get(k, 0) for k in self.numbers] for c in full]
        category, number = np.array(codes, np.int32), np.array(numbers, np.float32)
        # some models take one row at a time
        step = 1 if model.get_inputs()[0].shape[0] == 1 else _BATCH
        found = [
            model.run(None, {"x_cat": category[i : i + step], "x_cont": number[i : i + step]})[0]
            for i in range(0, len(full), step)
        ]
        return np.vstack(found)

    def _losses(self, row):
        losses = []
        for target, place in zip(self.targets, self.outputs, strict=True):
            value = float(row[place])
            if target in _MAXIMISED:
                value = -value
            elif target in _TIMES and self.objectives > 1:
                value = math.log10(max(value, 1e-4))
            losses.append(value)
        return losses


def _space(described, left_out):
    conditions = {}
    for condition in described["conditions"]:
        for child, parent, values in _flat(condition):
            if parent not in left_out:
                conditions.setdefault(child, []).append((parent, values))
    params = []
    for given in described["hyperparameters"]:
        name, kind = given["name"], given["type"]
        when = tuple(conditions.get(name, ()))
        if name in left_out or kind == "constant":
            continue
        if kind == "categorical":
            params.append(Param(name, "cat", choices=tuple(given["choices"]), when=when))
        else:
            kind, log = kind.removeprefix("uniform_"), bool(given["log"])
            params.append(Param(name, kind, given["lower"], given["upper"], log, when=when))
    return parents_first(params)


def _flat(condition):
    if condition["type"] == "AND":
        for part in condition["conditions"]:
            yield from _flat(part)
    else:
        values = condition.get("values", condition.get("value"))
        values = tuple(values) if isinstance(values, list | tuple) else (values,)
        yield condition["child"], condition["parent"], values
