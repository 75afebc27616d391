"""Turn titles into the last part of a web address."""


def slugify(title: str) -> str:
    """Lower case, with a dash for every space."""
    return title.lower().replace(" ", "-")
