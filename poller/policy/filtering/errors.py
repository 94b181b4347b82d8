"""The one error of filter criteria: a pattern that cannot be used, with the place in it and the reason."""

# The service's own words for every refused pattern; people search for them.
AWS_MESSAGE = "Invalid filter pattern definition."


class PatternError(ValueError):
    """A pattern was refused when it was loaded. Nothing else is ever raised by compiling or matching.

    `where` is the place inside the pattern (`body.kind[0]`), empty for the pattern as a whole; `index` is the filter's
    position in the list, counted from 0; `message` says why.
    """

    def __init__(self, message: str, where: str = "", *, index: int | None = None) -> None:
        place = ", ".join(part for part in ("" if index is None else f"filter {index + 1}", where) if part)
        super().__init__(f"{AWS_MESSAGE} {place}: {message}" if place else f"{AWS_MESSAGE} {message}")
        self.message = message
        self.where = where
        self.index = index

    def at(self, index: int) -> "PatternError":
        """The same error, naming the filter it belongs to."""
        return PatternError(self.message, self.where, index=index)
