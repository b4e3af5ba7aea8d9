"""Evaluation: samples of a model run against a suite's tests, and what they come to.

The map::

    samples.py      Sample, read_samples: JSON lines of answers
    truncation.py   truncated: answers end at the published stop sequences
    judging.py      judge_samples: every distinct answer run once -> VERDICT rows
    passing.py      pass_at_k, pass_rate: the unbiased estimate and its interval
    scores.py       Scores: what verdicts come to
"""

from instruct.evaluation.judging import VERDICT, Attempt, Runs, judge, judge_samples, program
from instruct.evaluation.passing import PassRate, pass_at_k, pass_rate
from instruct.evaluation.samples import Sample, json_rows, read_samples
from instruct.evaluation.scores import Scores, refuse_few, scores, settings, task_counts
from instruct.evaluation.truncation import PUBLISHED_STOPS, truncated

__all__ = [
    "PUBLISHED_STOPS",
    "VERDICT",
    "Attempt",
    "PassRate",
    "Runs",
    "Sample",
    "Scores",
    "json_rows",
    "judge",
    "judge_samples",
    "pass_at_k",
    "pass_rate",
    "program",
    "read_samples",
    "refuse_few",
    "scores",
    "settings",
    "task_counts",
    "truncated",
]
