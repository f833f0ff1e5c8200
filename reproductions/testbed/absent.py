"""The one error for something that is not installed here."""


class Absent(ImportError):
    """Something that the testbed was asked for and this Python does not have; ``name`` says what to install."""

    def __init__(self, package: str, advice: str = "") -> None:
        super().__init__(f"needs {package}" + (f" ({advice})" if advice else ""), name=package)
