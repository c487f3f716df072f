from __future__ import annotations

from types import SimpleNamespace

from lwam_mm.compat.replace import replace


def stock(x: int) -> int:
    """Return x."""
    return x


def plus_one(stock, x: int) -> int:
    return stock(x) + 1


def test_every_owner_gets_the_replacement_once():
    owners = [SimpleNamespace(stock=stock), SimpleNamespace(stock=stock)]
    assert replace("stock", *owners, by=plus_one)
    assert not replace("stock", *owners, by=plus_one)
    assert [owner.stock(1) for owner in owners] == [2, 2]
    assert owners[0].stock.__doc__ == "Return x."


def test_methods_stay_methods_and_static_ones_static():
    class Owner:
        factor = 10

        def scaled(self, x: int) -> int:
            return self.factor * x

        @staticmethod
        def same(x: int) -> int:
            return x

    replace("scaled", Owner, by=lambda stock, self, x: stock(self, x) + self.factor)
    replace("same", Owner, by=plus_one)
    assert Owner().scaled(1) == 20
    assert (Owner().same(1), Owner.same(1)) == (2, 2)
