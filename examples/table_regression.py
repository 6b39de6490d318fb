"""A table with words and gaps: the rent of flats, through scikit-learn's pipeline.

    python examples/table_regression.py --out table_regression.png

Columns of numbers get the median where something is missing and are scaled; columns of words become zeros and ones.
fastnn.MLPRegressor stands at the end of the pipeline as scikit-learn's own would; a linear model in its place is the
yardstick. The picture shows true and predicted rents of flats that were not trained on.
"""

import argparse

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.metrics import PredictionErrorDisplay
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import fastnn

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--rows", type=int, default=4000)
parser.add_argument("--epochs", type=int, default=200, help="at most")
parser.add_argument("--out", metavar="PICTURE")
options = parser.parse_args()


def flats(count: int) -> pd.DataFrame:
    """Made-up flats, with gaps; your own table comes from pd.read_csv("flats.csv")."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "area": rng.gamma(8, 9, count).round() + 15,
            "floor": rng.integers(0, 9, count).astype(float),
            "year": rng.integers(1900, 2024, count).astype(float),
            "district": rng.choice(["centre", "harbour", "north", "hills"], count),
            "heating": rng.choice(["gas", "district heating", "heat pump"], count),
        }
    )
    place = table["district"].map({"centre": 16.0, "harbour": 13.0, "north": 9.0, "hills": 12.0})
    comfort = 1 + 0.3 * ((table["year"] - 1960) / 60) ** 2 + 0.04 * table["floor"] * (table["district"] == "harbour")
    table["rent"] = (place * comfort * table["area"] ** 0.9 * rng.lognormal(0, 0.06, count)).round()
    for column in ("floor", "year", "heating"):
        table.loc[rng.random(count) < 0.08, column] = None
    return table


table = flats(options.rows)
X, y = table.drop(columns="rent"), table["rent"]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
words = OneHotEncoder(handle_unknown="ignore")  # what is missing is a word, too
columns = ColumnTransformer(
    [
        ("numbers", numbers, make_column_selector(dtype_include="number")),
        ("words", words, make_column_selector(dtype_exclude="number")),
    ]
)
network = fastnn.MLPRegressor(hidden_layer_sizes=(64, 32), early_stopping=True, max_iter=options.epochs, random_state=0)
models = {}
for name, regressor in (("linear model", Ridge()), ("network", network)):
    scaled = TransformedTargetRegressor(regressor, transformer=StandardScaler())  # rents have mean 0 and variance 1
    models[name] = make_pipeline(columns, scaled).fit(X_train, y_train)
    print(f"{name}: R2 {models[name].score(X_test, y_test):.4f}")

if options.out:
    dots = {"alpha": 0.5, "s": 12, "color": "#0072b2", "edgecolors": "none"}
    display = PredictionErrorDisplay.from_estimator(
        models["network"], X_test, y_test, kind="actual_vs_predicted", subsample=None, scatter_kwargs=dots
    )
    display.ax_.set(xlabel="predicted rent", ylabel="rent", title="Flats not trained on")
    display.ax_.set(xticks=range(0, 2001, 500), yticks=range(0, 2001, 500))
    display.figure_.set_size_inches(4.6, 4.2)
    display.figure_.savefig(options.out, dpi=100, bbox_inches="tight")
