"""A small neural network on the digits, in plain numpy, with a metric for every epoch."""

import json
import os
from pathlib import Path

import mlflow
import numpy as np
from sklearn.datasets import load_digits

params = json.loads(os.environ["SENTINELS_PARAMS"])
output = Path(os.environ["SENTINELS_OUTPUT"])
random = np.random.default_rng(params["seed"])

images, digits = load_digits(return_X_y=True)
images = images / 16.0
order = random.permutation(len(images))
train, test = order[:1300], order[1300:]

hidden = params["hidden"]
weights = random.normal(0, 0.1, (64, hidden)), random.normal(0, 0.1, (hidden, 10))
biases = np.zeros(hidden), np.zeros(10)


def forward(batch):
    inner = np.maximum(batch @ weights[0] + biases[0], 0)
    scores = inner @ weights[1] + biases[1]
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return inner, scores / scores.sum(axis=1, keepdims=True)


def step(batch, wanted, rate):
    inner, chances = forward(batch)
    error = chances.copy()
    error[np.arange(len(wanted)), wanted] -= 1
    error /= len(wanted)
    inner_error = (error @ weights[1].T) * (inner > 0)
    for weight, bias, before, gradient in (
        (weights[1], biases[1], inner, error),
        (weights[0], biases[0], batch, inner_error),
    ):
        weight -= rate * before.T @ gradient
        bias -= rate * gradient.sum(axis=0)


# Without MLflow it trains all the same: the numbers are printed, the weights are kept.
try:
    tracked = mlflow.start_run()  # the job's own run, named by MLFLOW_RUN_ID
except mlflow.MlflowException as error:
    tracked = None
    print(f"not tracked: {error}")

for epoch in range(params["epochs"]):
    random.shuffle(train)
    for start in range(0, len(train), 32):
        chosen = train[start : start + 32]
        step(images[chosen], digits[chosen], params["rate"])
    _, chances = forward(images[test])
    loss = -np.log(chances[np.arange(len(test)), digits[test]] + 1e-9).mean()
    accuracy = (chances.argmax(axis=1) == digits[test]).mean()
    if tracked:
        mlflow.log_metrics({"loss": float(loss), "accuracy": float(accuracy)}, step=epoch)
    print(f"epoch {epoch:2d}  loss {loss:.4f}  accuracy {accuracy:.4f}", flush=True)

np.savez(output / "weights.npz", *weights, *biases)
