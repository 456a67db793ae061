"""The demo's preparation: published shopping baskets become the files that `omo run` takes."""

from omo_core.demo.prepare import ATTRIBUTION, DEFAULT_SEED, DemoFiles, prepare
from omo_core.demo.story import preparation_counts, subtitle, title

__all__ = ["ATTRIBUTION", "DEFAULT_SEED", "DemoFiles", "preparation_counts", "prepare", "subtitle", "title"]
