"""Proof that the solvers are right: a module for each equation, with measured numbers and what they must lie between."""
