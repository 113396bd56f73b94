if __name__ == "pdes":
    raise ImportError("this folder is opforge's: use `import opforge.pdes`, not `import pdes`")
