"""An ablation as a user's script: run with a storage file and a design; killed and run again it goes on."""

import json
import sys

import assay


def loss(trial):
    on = {name: trial.config[name] for name in "abcd"}
    best = 0.2 + 0.5 * on["a"]
    noise = (hash((trial.seed, round(trial.config["x"], 9))) % 1000) / 1e5
    return (trial.config["x"] - best) ** 2 + 0.3 * (not on["b"]) + 0.1 * (not on["c"]) + noise


if __name__ == "__main__":
    design = sys.argv[2]
    found = assay.ablate(
        loss,
        space=assay.Space(x=assay.Float(0, 1, default=0.5)),
        components=[assay.Component(name) for name in "abcd"],
        design=design,
        racing=design == "path",
        budget=6,
        searches=2 if design == "path" else 1,
        fresh=2,
        seed=3,
        storage=f"sqlite:///{sys.argv[1]}",
        name="parts",
        isolation="none",
        progress=False,
    )
    sys.stdout.write(json.dumps(found.result))
