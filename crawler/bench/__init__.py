"""The project's own benchmarks, with the limit of the machine measured in the same run."""
