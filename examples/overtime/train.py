"""A script that would train for ten minutes, in a job that gives it three seconds."""

import time

for epoch in range(600):
    print(f"epoch {epoch}", flush=True)
    time.sleep(1)
