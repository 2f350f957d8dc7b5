"""Sources, one module per kind; a channel names the module: `source.kind = "mllp"`."""
