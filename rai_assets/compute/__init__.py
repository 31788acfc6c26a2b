"""Where big work is done: here, in processes beside, or on a Dask cluster."""
