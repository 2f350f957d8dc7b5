"""Judge from outside, over the wire, with other people's code. Imports none of the four other packages."""
