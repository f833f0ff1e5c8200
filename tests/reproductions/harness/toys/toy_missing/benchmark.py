"""A technique that cannot be imported here."""

import no_such_package_anywhere  # type: ignore[import-not-found]

TECHNIQUE = no_such_package_anywhere.TECHNIQUE
