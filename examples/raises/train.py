"""A script with a mistake: it ends with a traceback, and its job as failed."""

print("reading the data …", flush=True)
batches = {"train": 12}
print(f"{batches['train']} batches to train on", flush=True)
print(f"{batches['validation']} batches to validate on")
