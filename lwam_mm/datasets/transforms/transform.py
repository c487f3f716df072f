"""The base class of the transforms."""

from mmcv.transforms import BaseTransform


class Transform(BaseTransform):
    """A transform that is shown with its arguments, which it keeps under their names.

    All draw from Python's ``random``, which MMEngine seeds in every worker as it does numpy and
    torch.
    """

    def __repr__(self) -> str:
        arguments = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in arguments.items())})"


def check_probability(prob: float) -> None:
    """Refuse what is no probability."""
    if not 0 <= prob <= 1:
        raise ValueError(f"prob={prob!r} is not a probability. Remedy: give a value in 0..1.")
