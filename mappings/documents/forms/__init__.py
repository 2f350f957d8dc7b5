"""The official forms as data, one TOML file per paper: labels, order, what is required, signature blocks, days in force.

A label is corrected here, without touching code. `need`: `R` the paper is refused without it; `P` printed by the form and left
empty when unknown; `C` only in some cases. `mark` says how sure we are of the wording: H read in the official print, M one good
secondary source, L older form or inference.
"""
