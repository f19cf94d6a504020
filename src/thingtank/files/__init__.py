"""Files of datapoints as people carry them out: CSV, JSON lines, Parquet."""
