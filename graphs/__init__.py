"""The heap as a graph: who holds an object, and what it holds."""
