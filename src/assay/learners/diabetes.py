"""The data of the demonstration: small, real, and installed with scikit-learn."""

from __future__ import annotations

import csv
import io

TARGET = "progression"


def diabetes_csv() -> str:
    """442 diabetes patients as CSV: ten measurements, and how the disease progressed in a year.

    Source: Efron, Hastie, Johnstone and Tibshirani 2004, Least angle regression, Annals of
    Statistics 32(2), 407–499; the copy in scikit-learn, in its original units.

    >>> diabetes_csv().splitlines()[0]
    'age,sex,bmi,bp,s1,s2,s3,s4,s5,s6,progression'
    """
    from sklearn.datasets import load_diabetes

    patients = load_diabetes(scaled=False)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*patients.feature_names, TARGET])
    for measured, progression in zip(patients.data, patients.target, strict=True):
        writer.writerow([*(f"{value:.6g}" for value in measured), f"{progression:g}"])
    return text.getvalue()
