if __name__ == "datasets":
    raise ImportError("this folder is opforge's: use `import opforge.datasets`, not `import datasets`")
