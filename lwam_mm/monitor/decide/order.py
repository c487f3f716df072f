"""Which layers of a build are next, and which come late."""

from __future__ import annotations

from collections import deque

COURSE = 3
"""So many layers one after the other are a course, and no mistake."""


class LayerOrder:
    """Follows the numbers of a build's layers as they come.

    A layer is next if its number is above all before it, else it comes late. But after a number
    that is wrong and far too high, or when a second print goes into the same names, all further
    layers would come late. So of late layers, each above the last, the third is next again. Those
    that fill a gap stay late: three layers above it have come, and none of that number.

    Example:
        >>> order = LayerOrder()
        >>> [order.comes_late(number) for number in (7, 8, 99, 9, 10, 11, 12)]
        [False, False, False, True, True, False, False]
        >>> [order.comes_late(number) for number in (15, 16, 17, 13, 14)]
        [False, False, False, True, True]
    """

    def __init__(self) -> None:
        self._next: deque[int] = deque(maxlen=COURSE)  # the last that were next
        self._lowest: int | None = None
        self._late: deque[int] = deque(maxlen=COURSE)  # those since that came late in a row

    @property
    def last(self) -> int | None:
        """The layer that was next last, and is followed; None before the first."""
        return self._next[-1] if self._next else None

    def comes_late(self, number: int, again: bool = False) -> bool:
        """Take the next layer; say whether it comes late.

        Args:
            number: The layer.
            again: It was there before, with another image.
        """
        if self._next and number <= self._next[-1]:
            if self._late and number <= self._late[-1]:
                self._late.clear()
            if not again and self._is_in_gap(number):
                self._late.clear()
            else:
                self._late.append(number)
            if len(self._late) < COURSE:
                return True
            self._next.clear()
        self._late.clear()
        self._next.append(number)
        self._lowest = number if self._lowest is None else min(self._lowest, number)
        return False

    def _is_in_gap(self, number: int) -> bool:
        assert self._lowest is not None
        return self._lowest < number < self._next[0] and len(self._next) == COURSE
