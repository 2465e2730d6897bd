"""Logistic regression on the digits that scikit-learn ships: one fit, its metrics, its model."""

import json
import os
from pathlib import Path

import joblib
import mlflow
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

params = json.loads(os.environ["SENTINELS_PARAMS"])
output = Path(os.environ["SENTINELS_OUTPUT"])

images, digits = load_digits(return_X_y=True)
train_images, test_images, train_digits, test_digits = train_test_split(
    images, digits, test_size=0.3, random_state=0, stratify=digits
)

model = make_pipeline(
    StandardScaler(), LogisticRegression(C=params["C"], solver=params["solver"], max_iter=200)
)
model.fit(train_images, train_digits)

predicted = model.predict(test_images)
metrics = {
    "accuracy": accuracy_score(test_digits, predicted),
    "log_loss": log_loss(test_digits, model.predict_proba(test_images)),
}
print(f"C={params['C']} solver={params['solver']}: {metrics}")

# Whatever is left in this folder becomes the run's artifacts.
joblib.dump(model, output / "model.joblib")
(output / "metrics.json").write_text(json.dumps(metrics, indent=2))
rows = confusion_matrix(test_digits, predicted)
(output / "confusion.csv").write_text("\n".join(",".join(map(str, row)) for row in rows) + "\n")

# The job's own run, named by MLFLOW_RUN_ID. A fit is worth keeping also while MLflow is away.
try:
    mlflow.log_metrics(metrics)
except mlflow.MlflowException as error:
    print(f"not tracked: {error}")
