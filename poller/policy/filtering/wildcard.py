r"""Wildcards: `*` stands for any run of characters, `\*` and `\\` for themselves.

A few are tried one by one, by finding their fixed parts from left to right, each at the first place it fits: linear in
the text, because a later place can never succeed where the first one fails. Many are run side by side as one automaton
whose states are made when first met, so that the time per character does not grow with their number.
"""

from collections.abc import Callable, Iterable, Sequence

# From this many on, one walk through the text is cheaper than one search each.
_FEW = 4
# States kept before the automaton forgets all and starts afresh: some 20 MB at the very worst. Checked at every new
# one, for a single long text can make them by the hundred thousand.
_MOST_STATES = 20_000


def parse_wildcard(text: str) -> tuple[str, ...]:
    """The fixed parts between the stars; one part means no star. Raises ValueError with the reason."""
    parts = [""]
    characters = iter(range(len(text)))
    for place in characters:
        character = text[place]
        following = text[place + 1 : place + 2]
        if character == "*":
            if following == "*":
                raise ValueError(f"two wildcard characters in a row at position {place}")
            parts.append("")
        elif character != "\\":
            parts[-1] += character
        elif following and following in "*\\":
            parts[-1] += following
            next(characters)
        else:
            raise ValueError(f"a backslash at position {place} that escapes neither * nor another backslash")
    return tuple(parts)


def _fits(parts: tuple[str, ...], text: str) -> bool:
    if len(parts) == 1:
        return text == parts[0]
    first, last = parts[0], parts[-1]
    if not text.startswith(first) or not text.endswith(last):
        return False
    place, end = len(first), len(text) - len(last)
    for part in parts[1:-1]:
        place = text.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return place <= end


class _State(dict[str, "_State"]):
    """Where all wildcards stand after some text, a bit per place in each. Maps the next character to a state."""

    __slots__ = ("accepted", "automaton", "bits")

    automaton: "_Automaton"
    bits: int
    accepted: int
    """What accepts the text so far and whatever follows."""

    def __missing__(self, character: str) -> "_State":
        state = self[character] = self.automaton.state(self.automaton.step(self.bits, character))
        return state


class _Automaton:
    __slots__ = ("_answers", "_by_final", "_final", "_last_moves", "_loops", "_moves", "_start", "_states")

    def __init__(self, wildcards: Iterable[tuple[tuple[str, ...], int]]) -> None:
        self._moves: dict[str, int] = {}
        self._loops = self._final = self._start = 0
        self._by_final: dict[int, int] = {}
        place = 1
        for parts, bits in wildcards:
            self._start |= place
            for number, part in enumerate(parts):
                if number:
                    self._loops |= place
                for character in part:
                    self._moves[character] = self._moves.get(character, 0) | place
                    place <<= 1
            self._final |= place
            self._by_final[place] = bits
            place <<= 1
        # where the last character of a text can lead to an end
        before_final = self._final >> 1
        self._last_moves = {character: bits & before_final for character, bits in self._moves.items()}
        self._states: dict[int, _State] = {}
        self._answers: dict[int, int] = {}

    def at(self, text: str) -> int:
        state = self.state(self._start)
        for character in text[:-1]:
            state = state[character]
        if not text:
            return self._ending(state.bits & self._final)
        # most often no other wildcard ends where a text ends, so a state would not pay
        moved = state.bits & self._last_moves.get(text[-1], 0)
        return state.accepted | self._ending(moved << 1) if moved else state.accepted

    def _ending(self, final: int) -> int:
        found = self._answers.get(final)
        if found is None:
            if len(self._answers) >= _MOST_STATES:
                self._answers = {}
            found = self._answers[final] = self._accepted(final)
        return found

    def _accepted(self, final: int) -> int:
        found = 0
        while final:
            lowest = final & -final
            found |= self._by_final[lowest]
            final ^= lowest
        return found

    def step(self, bits: int, character: str) -> int:
        return ((bits & self._moves.get(character, 0)) << 1) | (bits & self._loops)

    def state(self, bits: int) -> _State:
        state = self._states.get(bits)
        if state is None:
            if len(self._states) >= _MOST_STATES:
                self._states = {}
            state = self._states[bits] = _State()
            state.automaton, state.bits = self, bits
            state.accepted = self._ending(bits & self._loops & self._final)
        return state


def wildcard_lookup(wildcards: Sequence[tuple[tuple[str, ...], int]]) -> Callable[[str], int]:
    """For any text: the bits of all wildcards that fit it."""
    if len(wildcards) > _FEW:
        return _Automaton(wildcards).at

    def at(text: str) -> int:
        found = 0
        for parts, bits in wildcards:
            if _fits(parts, text):
                found |= bits
        return found

    return at
