"""Time by line: probes in the code of the functions that are measured."""
