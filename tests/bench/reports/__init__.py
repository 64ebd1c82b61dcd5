"""Parts of `bench_reports`."""
