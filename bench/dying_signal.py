"""The frozen dying signal on back-test data, beside the baselines: `python -m bench.dying_signal --data FOLDER`.

Nothing is fitted here: the published coefficients are applied to the projects of the folder's labels.csv. Where these
are the projects that the model was fitted on, the figures flatter it; the cross-validated ones stand in docs/health.md.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from sealane.health import backtest, signal
from sealane.health.backtest import Month, Observation
from sealane.health.numbers import wilson
from sealane.lib.errors import SealaneError

Rule = Callable[[Month], bool]
BASELINES: dict[str, Rule] = {
    "no human commit in 90 days": lambda row: row["commits_90"] == 0,
    "fewer than 13 commits in 90 days": lambda row: row["commits_90"] < 13,
    "authors in 12 months at most 2": lambda row: row["authors_365"] <= 2,
    "authors in 12 months at most 5": lambda row: row["authors_365"] <= 5,
    "authors at most half of their peak": lambda row: 2 * row["authors_365"] <= row["authors_365_peak"],
    "at most 8 authors and fewer than 13 commits": lambda row: row["authors_365"] <= 8 and row["commits_90"] < 13,
    "pull requests in 90 days at most 3": lambda row: row["pulls_90"] <= 3,
}


def main() -> None:
    """Print the table, then one line of JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.dying_signal")
    parser.add_argument("--data", type=Path, required=False, help="a folder with labels.csv and monthly.ndjson.gz")
    folder = parser.parse_args().data
    if folder is None:
        print("skipped: --data FOLDER names the back-test data")
        print(json.dumps({"skipped": True}))
        return
    try:
        history = backtest.load(folder)
    except SealaneError as error:
        sys.exit(error.sentence)
    print(json.dumps(evaluate(history)))


def evaluate(history: backtest.History) -> dict[str, object]:
    """The contract's figures, with the table printed on the way."""
    found = backtest.observations(history)
    calm = [one for one in found if one.lead is None]
    probabilities = {id(one): signal.assess(one.activity).probability for one in found}
    mine = table("Sealane's dying signal", lambda one: signal.assess(one.activity).alarm, found)
    others = {
        name: table(name, lambda one, rule=rule: rule(one.row), found)  # type: ignore[misc]
        for name, rule in BASELINES.items()
    }
    auc = {}
    for lead in backtest.MONTHS:
        ends = [probabilities[id(one)] for one in found if one.lead == lead]
        auc[lead] = backtest.auc(ends, [probabilities[id(one)] for one in calm]) if ends and calm else math.nan
        low, high = _auc_interval(auc[lead], len(ends), len(calm))
        print(f"AUC {lead} months ahead: {auc[lead]:.3f} ({low:.3f}-{high:.3f})")
    brier, base = _brier(found, probabilities)
    print(f"Brier score 12 months ahead: {brier:.4f}, of the base rate {base:.4f}")
    leads = [
        months
        for project in history.labels
        if history.ends(project) and (months := backtest.lead_months(history, project, _alarm)) is not None
    ]
    ended = sum(history.ends(project) is not None for project in history.labels)
    median = statistics.median(leads) if leads else None
    print(
        f"Lead: {len(leads)} of {ended} ends had an alarm that stayed until the end, {median} months before it (median)"
    )
    return {
        "recall": mine["recall"],
        "false_alarms": mine["false_alarms"],
        "auc_6": round(auc[6], 4),
        "auc_12": round(auc[12], 4),
        "brier": round(brier, 5),
        "brier_base": round(base, 5),
        "median_lead_months": None if median is None else round(median, 1),
        "baselines": others,
        "n_projects": len(history.labels),
    }


def table(name: str, alarm: Callable[[Observation], bool], found: list[Observation]) -> dict[str, object]:
    """Recall by lead with Wilson's intervals, and false alarms for each observation of a project that went on."""
    recall: dict[str, float] = {}
    parts = []
    for lead in backtest.MONTHS:
        ends = [alarm(one) for one in found if one.lead == lead]
        recall[str(lead)] = round(sum(ends) / len(ends), 3) if ends else 0.0
        low, high = wilson(sum(ends), len(ends)) if ends else (0.0, 1.0)
        parts.append(f"{recall[str(lead)]:.2f} ({low:.2f}-{high:.2f})")
    calm = [alarm(one) for one in found if one.lead is None]
    false = round(sum(calm) / len(calm), 4) if calm else 0.0
    print(f"{name:46} {'  '.join(parts)}  false alarms {false:.3f}")
    return {"recall": recall, "false_alarms": false}


def _alarm(row: Month) -> bool:
    return signal.assess(Observation(project="", lead=None, row=row).activity).alarm


def _brier(found: list[Observation], probabilities: dict[int, float]) -> tuple[float, float]:
    judged = [(probabilities[id(one)], one.lead is not None) for one in found if one.lead in (None, 12)]
    rate = sum(ended for _, ended in judged) / len(judged)
    brier = sum((probability - ended) ** 2 for probability, ended in judged) / len(judged)
    return brier, rate * (1 - rate)


def _auc_interval(value: float, positives: int, negatives: int) -> tuple[float, float]:
    """95 % by Hanley and McNeil (1982)."""
    if not positives or not negatives:
        return math.nan, math.nan
    q1, q2 = value / (2 - value), 2 * value * value / (1 + value)
    spread = value * (1 - value) + (positives - 1) * (q1 - value**2) + (negatives - 1) * (q2 - value**2)
    error = 1.96 * math.sqrt(spread / (positives * negatives))
    return max(0.0, value - error), min(1.0, value + error)


if __name__ == "__main__":
    main()
