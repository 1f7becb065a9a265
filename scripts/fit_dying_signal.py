"""Fit the dying signal and write its coefficients: `python scripts/fit_dying_signal.py BACKTEST_FOLDER`.

Logistic regression with a strong ridge, on ln(1 + count), grouped by project; chosen for being explainable with few
ends to learn from. The intercept and slope are then set on cross-validated scores of observations twelve and six months
ahead, so that a probability is one. Prints the cross-validated table; needs numpy (in the `rig` dependency group).
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import numpy as np

from sealane.health import backtest
from sealane.health.backtest import Observation
from sealane.health.signal import NEVER, Feature, SignalModel, Variant

OUT = Path(__file__).parents[1] / "src/sealane/health/data/dying_signal.json"
FULL = ("active_days_90", "pull_people_90", "domains_365", "days_since_tag")
PULLS = ("active_days_90", "pull_people_90", "days_since_tag")
COMMITS = ("active_days_90", "authors_90", "days_since_tag")
RIDGE = 100.0
TRAINED_LEADS = (3, 6, 12)
ALARMS = 0.09  # false alarms for each observation at which the threshold is set; .10 is the limit
Matrix = np.ndarray


def main() -> None:
    """Fit the variants, print what cross-validation says, write the file."""
    found = backtest.observations(backtest.load(Path(sys.argv[1])))
    variants = tuple(
        fit(name, names, found) for name, names in (("full", FULL), ("pulls", PULLS), ("commits", COMMITS))
    )
    projects = {one.project for one in found}
    ended = {one.project for one in found if one.lead is not None}
    model = SignalModel(
        version="1",
        fitted_on=f"{len(ended)} archived projects and {len(projects - ended)} others, to 2026-08",
        variants=variants,
    )
    OUT.write_bytes(msgspec.json.format(msgspec.json.encode(model), indent=2) + b"\n")


def fit(name: str, names: tuple[str, ...], found: list[Observation]) -> Variant:
    """One variant, its probabilities set on scores that no project gave to itself."""
    values = matrix(found, names)
    trained = np.array([one.lead is None or one.lead in TRAINED_LEADS for one in found])
    ended = np.array([one.lead is not None for one in found])
    scores = cross_validated(values, ended, trained, [one.project for one in found])
    report(name, scores, found)
    judged = np.array([one.lead is None or one.lead in (6, 12) for one in found])
    weights = np.array([1.0 if one.lead is None else 0.5 for one in found])[judged]
    slope = logistic(scores[judged][:, None], ended[judged], ridge=1e-6, weights=weights)
    mean, deviation = values[trained].mean(0), values[trained].std(0)
    fitted = logistic((values[trained] - mean) / deviation, ended[trained], ridge=RIDGE)
    calm = np.sort((slope[0] + slope[1] * scores)[~ended])
    cut = calm[int(np.ceil(len(calm) * (1 - ALARMS)))]
    typical = np.median(np.expm1(values[~ended]), axis=0)
    return Variant(
        name=name,
        intercept=float(slope[0] + slope[1] * fitted[0]),
        threshold=float(1 / (1 + np.exp(-cut))),
        features=tuple(
            Feature(
                name=feature,
                weight=float(slope[1] * fitted[1 + place]),
                mean=float(mean[place]),
                deviation=float(deviation[place]),
                typical=float(round(typical[place])),
            )
            for place, feature in enumerate(names)
        ),
    )


def matrix(found: list[Observation], names: tuple[str, ...]) -> Matrix:
    """ln(1 + count), a row an observation."""
    rows = []
    for one in found:
        known = msgspec.structs.asdict(one.activity)
        tag = known["days_since_tag"]
        known["days_since_tag"] = NEVER if tag is None else min(tag, NEVER)
        rows.append([np.log1p(known[name]) for name in names])
    return np.array(rows)


def cross_validated(values: Matrix, ended: Matrix, trained: Matrix, projects: list[str]) -> Matrix:
    """Scores by models that never saw the project: ten folds, averaged over ten shuffles."""
    total = np.zeros(len(projects))
    random = np.random.RandomState(2026)
    groups = [sorted({p for p, e in zip(projects, ended, strict=True) if e == kind}) for kind in (True, False)]
    for _ in range(10):
        fold = {project: place % 10 for group in groups for place, project in enumerate(random.permutation(group))}
        folds = np.array([fold[project] for project in projects])
        for held in range(10):
            learn = trained & (folds != held)
            mean, deviation = values[learn].mean(0), values[learn].std(0)
            fitted = logistic((values[learn] - mean) / deviation, ended[learn], ridge=RIDGE)
            test = folds == held
            total[test] += fitted[0] + (values[test] - mean) / deviation @ fitted[1:]
    return total / 10


def logistic(values: Matrix, ended: Matrix, *, ridge: float, weights: Matrix | None = None) -> Matrix:
    """Intercept and weights by Newton's method; the ridge spares the intercept."""
    design = np.column_stack([np.ones(len(values)), values])
    weights = np.ones(len(values)) if weights is None else weights
    penalty = np.diag([0.0] + [ridge] * values.shape[1])
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-design @ beta))
        gradient = design.T @ (weights * (chance - ended)) + penalty @ beta
        curvature = design.T @ (design * (weights * chance * (1 - chance))[:, None]) + penalty
        step = np.linalg.solve(curvature, gradient)
        beta -= step
        if np.abs(step).max() < 1e-10:
            break
    return beta


def report(name: str, scores: Matrix, found: list[Observation]) -> None:
    """What cross-validation says, a line a lead."""
    calm = np.array([score for score, one in zip(scores, found, strict=True) if one.lead is None])
    cut = np.quantile(calm, 0.9)
    for lead in backtest.MONTHS:
        ends = [score for score, one in zip(scores, found, strict=True) if one.lead == lead]
        recall = np.mean([score > cut for score in ends])
        print(
            f"{name}: {lead} months ahead: recall {recall:.2f} at .10 false alarms,"
            f" AUC {backtest.auc(ends, list(calm)):.3f}"
        )


if __name__ == "__main__":
    main()
