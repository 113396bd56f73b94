"""Krylov methods: linear systems by products with their matrix alone, numpy and torch alike, many at once."""
