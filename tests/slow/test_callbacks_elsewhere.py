"""Callbacks of heavy libraries, each with the real one: pip install 'assay[boosting,lightning,keras,transformers]' jax skorch.

What was run, with which versions, is in results/callbacks.json.
"""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale
from tests.integration import callback_story as story

import assay

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
os.environ.setdefault("KERAS_BACKEND", "jax")

MOST = 9
X, y = load_breast_cancer(return_X_y=True)
X = scale(X).astype("float32")
TRAIN_X, VALID_X, TRAIN_Y, VALID_Y = train_test_split(X, y, random_state=0, stratify=y)
RESULTS = Path(__file__).with_name("results") / "callbacks.json"


def catboost(trial):
    from catboost import CatBoostClassifier

    call = assay.callbacks.catboost(trial)
    model = CatBoostClassifier(
        iterations=100, learning_rate=trial.config["rate"], depth=3, thread_count=1,
        bootstrap_type="No", random_strength=0, random_seed=0, boost_from_average=False,
        allow_writing_files=False, verbose=False,
    )  # fmt: skip
    model.fit(
        TRAIN_X, TRAIN_Y, eval_set=(VALID_X, VALID_Y), init_model=call.model, callbacks=[call],
        use_best_model=False,
    )  # fmt: skip
    call.keep(model)
    return log_loss(VALID_Y, model.predict_proba(VALID_X))


def torch_net(seed, dropout):
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Linear(X.shape[1], 16), torch.nn.Dropout(dropout), torch.nn.Linear(16, 1)
    )


def torch_loop(trial):
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    net = torch_net(trial.seed, 0.2)
    optimizer = torch.optim.SGD(net.parameters(), lr=trial.config["rate"], momentum=0.9)
    loss = torch.nn.BCEWithLogitsLoss()
    rows = TensorDataset(torch.tensor(TRAIN_X), torch.tensor(TRAIN_Y[:, None].astype("float32")))
    loader = DataLoader(rows, batch_size=64, shuffle=True)
    for step in assay.callbacks.torch(trial, net, optimizer):
        net.train()
        for features, target in loader:
            optimizer.zero_grad()
            loss(net(features), target).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            logits = net(torch.tensor(VALID_X))
        value = float(loss(logits, torch.tensor(VALID_Y[:, None].astype("float32"))))
        trial.report(step, value)
        if trial.should_stop():
            break
    return value


def lightning(trial):
    import lightning as L
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    class Module(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = torch_net(trial.seed, 0)  # Lightning keeps no random state
            self.loss = torch.nn.BCEWithLogitsLoss()

        def training_step(self, batch, _):
            return self.loss(self.net(batch[0]), batch[1])

        def validation_step(self, batch, _):
            self.log("val_loss", self.loss(self.net(batch[0]), batch[1]))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=trial.config["rate"])

    def rows(features, target):
        return TensorDataset(
            torch.tensor(features), torch.tensor(target[:, None].astype("float32"))
        )

    call = assay.callbacks.lightning(trial)
    trainer = L.Trainer(
        max_epochs=MOST, accelerator="cpu", devices=1, callbacks=[call], logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(
        Module(),
        DataLoader(rows(TRAIN_X, TRAIN_Y), batch_size=64),
        DataLoader(rows(VALID_X, VALID_Y), batch_size=len(VALID_Y)),
        ckpt_path=call.model,
    )
    return float(trainer.callback_metrics["val_loss"])


def keras(trial):
    import keras as k

    def build():
        k.utils.set_random_seed(trial.seed)
        net = k.Sequential(
            [k.Input((X.shape[1],)), k.layers.Dense(8), k.layers.Dense(1, "sigmoid")]
        )
        net.compile(k.optimizers.SGD(trial.config["rate"]), "binary_crossentropy")
        return net

    call = assay.callbacks.keras(trial)
    net = k.saving.load_model(call.saved) if call.saved else build()
    past = net.fit(
        TRAIN_X, TRAIN_Y, validation_data=(VALID_X, VALID_Y), initial_epoch=trial.from_step,
        epochs=MOST, callbacks=[call], verbose=0, shuffle=False,
    )  # fmt: skip
    return past.history["val_loss"][-1]


def jax_loop(trial):
    import jax
    import optax

    optimizer = optax.adam(trial.config["rate"])

    def loss(weights, features, target):
        return optax.sigmoid_binary_cross_entropy(features @ weights, target).mean()

    @jax.jit
    def advance(weights, state):
        change, state = optimizer.update(jax.grad(loss)(weights, TRAIN_X, TRAIN_Y), state)
        return optax.apply_updates(weights, change), state

    def fresh():
        weights = jax.random.normal(jax.random.key(trial.seed), X.shape[1:])
        return weights, optimizer.init(weights)

    kept = assay.callbacks.kept(trial, fresh)
    for step in kept.steps:
        kept.value = advance(*kept.value)
        value = float(loss(kept.value[0], VALID_X, VALID_Y))
        trial.report(step, value)
        if trial.should_stop():
            break
    return value


def transformers(trial):
    import torch
    from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

    torch.set_num_threads(1)
    torch.manual_seed(trial.seed)
    words = np.digitize(X[:, :10], [-1, -0.3, 0.3, 1])  # each feature as one of five words

    def rows(which):
        return [
            {"input_ids": torch.tensor(words[i]), "labels": torch.tensor(int(y[i]))} for i in which
        ]

    train, valid = train_test_split(range(len(y)), random_state=0, stratify=y)
    call = assay.callbacks.transformers(trial)
    arguments = TrainingArguments(
        call.folder, num_train_epochs=MOST, eval_strategy="epoch", save_strategy="no", use_cpu=True,
        per_device_train_batch_size=64, per_device_eval_batch_size=512, seed=trial.seed,
        learning_rate=trial.config["rate"] / 20, report_to="none", disable_tqdm=True,
        logging_strategy="no",
    )  # fmt: skip
    size = BertConfig(
        vocab_size=5, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, hidden_dropout_prob=0, attention_probs_dropout_prob=0,
    )  # fmt: skip
    trainer = Trainer(
        BertForSequenceClassification(size), arguments, train_dataset=rows(train),
        eval_dataset=rows(valid), callbacks=[call],
    )  # fmt: skip
    trainer.train(resume_from_checkpoint=call.model)
    return trainer.evaluate()["eval_loss"]


def skorch(trial):
    import torch
    from skorch import NeuralNetClassifier

    torch.set_num_threads(1)
    torch.manual_seed(trial.seed)
    net = NeuralNetClassifier(
        torch.nn.Sequential(torch.nn.Linear(X.shape[1], 8), torch.nn.Linear(8, 2)),
        criterion=torch.nn.CrossEntropyLoss, lr=trial.config["rate"], max_epochs=1, batch_size=64,
        train_split=None, verbose=0,
    )  # fmt: skip

    def loss(net, X, y):
        chances = torch.softmax(torch.tensor(net.forward(X)), dim=1).numpy()
        return log_loss(y, chances)

    return assay.callbacks.sklearn(trial, net, (TRAIN_X, TRAIN_Y), (VALID_X, VALID_Y), value=loss)


TRAININGS = {
    "catboost": catboost,
    "torch": torch_loop,
    "lightning": lightning,
    "keras": keras,
    "jax": jax_loop,
    "transformers": transformers,
    "skorch": skorch,
}


def test_search_cv_takes_a_network_of_skorch():
    skorch = pytest.importorskip("skorch")
    import torch
    from scipy.stats import loguniform

    from assay.sklearn import SearchCV

    torch.set_num_threads(1)
    net = skorch.NeuralNetClassifier(
        torch.nn.Sequential(torch.nn.Linear(X.shape[1], 8), torch.nn.Linear(8, 2)),
        criterion=torch.nn.CrossEntropyLoss, max_epochs=5, train_split=None, verbose=0,
    )  # fmt: skip
    space = {"lr": loguniform(1e-4, 1.0), "optimizer": [torch.optim.SGD, torch.optim.Adam]}
    search = SearchCV(net, space, n_trials=8, cv=3, random_state=0).fit(X, y.astype("int64"))
    assert search.control_["params"] == {"lr": 0.01, "optimizer": torch.optim.SGD}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_score_ > search.control_["score"]
    assert search.best_estimator_.score(X, y) > 0.9
    assert search.study_.verify() == []


@pytest.mark.parametrize("library", TRAININGS)
def test_the_story(library):
    pytest.importorskip("optax" if library == "jax" else library)  # optax needs jax
    training = TRAININGS[library]
    story.it_reports_each_step(training, {"rate": 0.05}, MOST)
    story.it_ends_when_it_is_to_end(training, {"rate": 0.05}, MOST)
    found = story.it_goes_on_where_it_was_paused(
        training, story.rate_space(0.01, 0.2, MOST), rel=1e-3
    )
    assert np.isfinite(found["steps"])
    backend = f" on {os.environ['KERAS_BACKEND']}" if library == "keras" else ""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known[library + backend] = {"version": version(library), **found}
    RESULTS.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")
