"""Template tags that want the attic's site, under a name that somebody else has too."""

from tests.hosts.attic import site_that_is_not_there  # type: ignore[attr-defined]  # on purpose

register = site_that_is_not_there.register
