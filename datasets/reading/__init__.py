"""Reading samples: from files of any known layout or from memory, as tensors for training or as xarray."""
