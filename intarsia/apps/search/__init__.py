"""Visual search: photos of things, foremost of clothes, found by what they look like; exact, in one file, offline.

from intarsia.apps import search

index = search.build("photos/", "photos.index")
for match in index.find("query.jpg", count=10, colour="red"):
    print(match.score, match.path)
"""

from intarsia.apps.search.building import Report, add, build, remove
from intarsia.apps.search.colours import Filter
from intarsia.apps.search.embedding import Embedded, Embedder
from intarsia.apps.search.index import Index
from intarsia.apps.search.items import Item, Match

__all__ = ["Embedded", "Embedder", "Filter", "Index", "Item", "Match", "Report", "add", "build", "remove"]
