"""Proof that the solvers are right: for each equation a module of numbers, with what they must lie between."""
