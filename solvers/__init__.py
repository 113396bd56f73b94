if __name__ == "solvers":
    raise ImportError("this folder is opforge's: use `import opforge.solvers`, not `import solvers`")
