"""IP addresses as numbers, for `cidr` and for plain values that are addresses.

The engine reads every plain value that looks like an address as that address: `::1` in a pattern matches
`0:0:0:0:0:0:0:1`. Octets are decimal whatever zeros lead them, and an IPv4 address written as IPv6 is IPv4.
"""

import re

_V4 = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_V6 = re.compile(r"[0-9a-fA-F:]+")
# Longest texts of an address: 255.255.255.255 and eight groups of four.
_V4_LENGTH, _V6_LENGTH = 15, 39
# Both kinds share one line of numbers: IPv6 follows after all of IPv4.
_V6_START = 1 << 32
_MAPPED = 0xFFFF  # the upper 96 bits of an IPv4 address in IPv6


def parse_address(text: str) -> int | None:
    """The address as one number, or None for a text that is none."""
    if ":" in text:
        return _parse_v6(text) if len(text) <= _V6_LENGTH and _V6.fullmatch(text) else None
    if len(text) > _V4_LENGTH or not _V4.fullmatch(text):
        return None
    octets = [int(part) for part in text.split(".")]
    return None if max(octets) > 255 else int.from_bytes(bytes(octets))


def _parse_v6(text: str) -> int | None:
    """Not by the standard library's ipaddress: it takes several times as long, and events may hold thousands."""
    head, gap, tail = text.partition("::")
    first = head.split(":") if head else []
    last = tail.split(":") if tail else []
    groups = len(first) + len(last)
    if groups > 7 if gap else groups != 8:
        return None
    value = 0
    for group in first:
        if not 1 <= len(group) <= 4:
            return None
        value = value << 16 | int(group, 16)
    value <<= 16 * (8 - len(first))
    low = 0
    for group in last:
        if not 1 <= len(group) <= 4:
            return None
        low = low << 16 | int(group, 16)
    value |= low
    return value & 0xFFFFFFFF if value >> 32 == _MAPPED else value + _V6_START


def parse_cidr(text: str) -> tuple[int, int]:
    """First and last address of a block; raises ValueError with the reason."""
    base, slash, mask = text.partition("/")
    if not slash:
        raise ValueError("a block is written as address/bits, e.g. 10.0.0.0/24")
    address = parse_address(base)
    if address is None:
        raise ValueError(f"{base!r} is not an IP address")
    if not re.fullmatch(r"[0-9]{1,3}", mask):
        raise ValueError(f"the mask {mask!r} is not a whole number")
    is_v6 = address >= _V6_START
    width = 128 if is_v6 else 32
    if int(mask) >= width:
        kind = "IPv6" if is_v6 else "IPv4"
        raise ValueError(f"{kind} mask bits must be below {width}; for a single address write it as a plain value")
    host = (1 << (width - int(mask))) - 1
    offset = _V6_START if is_v6 else 0
    low = (address - offset) & ~host
    return low + offset, (low | host) + offset
