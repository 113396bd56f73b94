"""opforge's own file: what it says about itself, where its samples lie, how it is written and opened."""
