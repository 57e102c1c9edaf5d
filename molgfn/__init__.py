"""molgfn: design diverse molecules in proportion to their reward."""

__version__ = "0.1.0"
