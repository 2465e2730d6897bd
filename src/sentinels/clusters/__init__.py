"""The Cluster port's adapters, one package each."""
