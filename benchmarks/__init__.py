"""Side-by-side timings against peers. Each script's own docstring says how to run it; results/ holds what came out."""

if __name__ == "benchmarks":
    raise ImportError("this folder is opforge's: use `import opforge.benchmarks`, not `import benchmarks`")
