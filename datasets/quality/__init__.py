"""How good a dataset is: ranges, spectra, invariants, and the error of the data themselves."""
