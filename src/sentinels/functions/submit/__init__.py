"""The front door: ``main`` wires it, ``handler`` lets requests in, ``routes`` lists them."""
