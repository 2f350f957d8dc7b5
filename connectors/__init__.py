"""The edges: sources that take bytes in, destinations that carry documents out. They see of the mappings only formats."""
