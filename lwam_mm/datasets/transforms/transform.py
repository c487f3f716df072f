"""The base class of the transforms."""

from mmcv.transforms import BaseTransform


class Transform(BaseTransform):
    """A transform that is shown with its arguments, which it keeps under their names."""

    def __repr__(self) -> str:
        arguments = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in arguments.items())})"
