"""The file layouts that `opforge.open_dataset` recognises: opforge's own and those of the field's datasets."""
