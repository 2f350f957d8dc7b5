"""The clinical record: versions of resources, and which numbers are one person."""
