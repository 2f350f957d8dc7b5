"""Running a node: what is counted and reported."""
