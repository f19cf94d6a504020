"""All datapoints ever written, on disk: a DuckDB file for the newest, Parquet for the rest."""
