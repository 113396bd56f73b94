"""Generating datasets: a recipe, many processes or machines, one file or many shards."""
