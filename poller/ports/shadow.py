"""What became of the copies of a mapping's batches that a second function gets."""

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class ShadowStatus:
    """Counts of invocations since the process began."""

    function: str
    """Key of the second function."""
    succeeded: int = 0
    """Those after which the mapping would have settled the whole batch."""
    failed: int = 0
    left_out: int = 0
    """Copies that the function did not get: too many were under way, it was throttled, or the mapping stopped."""
    last_failure: str = ""

    def counts(self) -> dict[str, int]:
        """By outcome."""
        return {"succeeded": self.succeeded, "failed": self.failed, "left_out": self.left_out}
