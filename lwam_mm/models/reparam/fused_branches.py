"""A training RepConv's branches as one autograd function, with few tensors of output size."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

# A block with at most this many input channels reads the images. It is special in two ways.
# Moments are summed in float64: the three channels of a grey image are almost equal, so most of
# each sum cancels out. And the output of the 3x3 convolution, as large as any in the network, is
# not kept for the backward pass but computed again, which is quick with so few channels.
_FEW_CHANNELS = 4


class FusedBranches(torch.autograd.Function):
    """ReLU of the sum of a RepConv's branches, each after its batch norm in training mode.

    The 1x1 and the identity branch are linear maps of single pixels. The mean and variance that
    their norms need follow from mean and covariance of the input. Both branches therefore become
    one matrix product, and no output of theirs is computed or kept.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        conv: nn.Conv2d,
        norm: nn.BatchNorm2d,
        norm1x1: nn.BatchNorm2d,
        norm_identity: nn.BatchNorm2d | None,
        kernel3x3: Tensor,
        gamma: Tensor,
        beta: Tensor,
        *point: Tensor,
    ) -> Tensor:
        """Sum the branches, and update the running statistics as the norms themselves do.

        Args:
            ctx: Context of autograd.
            x: The input, (N, C, H, W), channels-last.
            conv: The 3x3 convolution, without bias.
            norm: The norm after it.
            norm1x1: The norm of the 1x1 branch.
            norm_identity: The norm of the identity branch; None without one.
            kernel3x3: Weight of ``conv``.
            gamma: Weight of ``norm``.
            beta: Bias of ``norm``.
            point: Kernel (D, C) of the 1x1 branch, weight and bias of its norm and, if there is an
                identity branch, weight and bias of that norm.

        Returns:
            The block's output, (N, D, H', W'), channels-last.
        """
        geometry = (conv.stride, conv.padding, conv.dilation)
        z = _convolve(x, kernel3x3, geometry, conv.groups)
        pixels = _pixels(_kept(x, conv.stride))
        mean, covariance = _moments(pixels)
        eps = (norm1x1.eps, norm_identity.eps if norm_identity is not None else 0.0)
        kernel, shift = _point_map(mean, covariance, eps, *point)
        weight = point[0].to(mean)
        _update(norm1x1, weight @ mean, (weight @ covariance * weight).sum(1), len(pixels))
        if norm_identity is not None:
            _update(norm_identity, mean, covariance.diagonal(), len(pixels))
        y, save_mean, save_invstd = torch.native_batch_norm(
            z,
            gamma,
            beta + shift,
            norm.running_mean,
            norm.running_var,
            True,
            _count(norm),
            norm.eps,
        )
        _pixels(y).addmm_(pixels, kernel.T)
        y.relu_()
        kept_z = None if x.shape[1] <= _FEW_CHANNELS else z
        ctx.save_for_backward(
            x, kept_z, y, kernel3x3, gamma, save_mean, save_invstd, mean, covariance, kernel, *point
        )
        ctx.eps, ctx.geometry, ctx.groups = (norm.eps, eps), geometry, conv.groups
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Compute the gradients of ``x``, ``kernel3x3``, ``gamma``, ``beta`` and ``point``."""
        x, z, y, kernel3x3, gamma, save_mean, save_invstd, *rest = ctx.saved_tensors
        mean, covariance, kernel, *point = rest
        own_eps, eps = ctx.eps
        grad = grad.contiguous(memory_format=torch.channels_last)
        grad = torch.ops.aten.threshold_backward(grad, y, 0)
        is_kept = z is not None
        if not is_kept:
            z = _convolve(x, kernel3x3, ctx.geometry, ctx.groups)
        grad_z, grad_gamma, grad_beta = torch.ops.aten.native_batch_norm_backward(
            grad, z, gamma, None, None, save_mean, save_invstd, True, own_eps, [is_kept, True, True]
        )
        if not is_kept:
            grad_z = _norm_backward_in_place(
                grad, z, gamma, save_mean, save_invstd, grad_gamma, grad_beta
            )
        wanted = ctx.needs_input_grad[0]
        grad_x, grad_kernel3x3, _ = torch.ops.aten.convolution_backward(
            grad_z, x, kernel3x3, None, *ctx.geometry, False, (0, 0), ctx.groups,
            [wanted, True, False],
        )  # fmt: skip
        del z, grad_z
        kept = _kept(x, ctx.geometry[0])
        pixels, grads = _pixels(kept), _pixels(grad)
        with torch.enable_grad():
            inputs = [tensor.detach().requires_grad_() for tensor in (mean, covariance, *point)]
            outputs = _point_map(*inputs[:2], eps, *inputs[2:])
        outer = (grads.T @ pixels, grad_beta)  # the shift has the gradient of beta
        grad_mean, grad_covariance, *grad_point = torch.autograd.grad(outputs, inputs, outer)
        if wanted:
            grad_x = grad_x.contiguous(memory_format=torch.channels_last)
            symmetric = grad_covariance + grad_covariance.T
            constant = ((grad_mean - symmetric @ mean) / len(pixels)).to(x)
            # With a stride, the 1x1 and the identity branch see only some of the pixels.
            target = grad_x if kept is x else torch.zeros_like(kept)
            flat = _pixels(target)
            flat.addmm_(grads, kernel).addmm_(pixels, symmetric.to(x), alpha=1 / len(pixels))
            flat.add_(constant)
            if target is not grad_x:
                down, across = ctx.geometry[0]
                grad_x[:, :, ::down, ::across] += target
        return grad_x, None, None, None, None, grad_kernel3x3, grad_gamma, grad_beta, *grad_point


def _convolve(x: Tensor, kernel: Tensor, geometry: tuple, groups: int) -> Tensor:
    z = functional.conv2d(x, kernel, None, *geometry, groups)
    return z.contiguous(memory_format=torch.channels_last)


def _norm_backward_in_place(
    grad: Tensor,
    z: Tensor,
    gamma: Tensor,
    mean: Tensor,
    invstd: Tensor,
    grad_gamma: Tensor,
    grad_beta: Tensor,
) -> Tensor:
    """Overwrite a batch norm's input ``z`` with its gradient, given those of weight and bias."""
    flat, grads = _pixels(z), _pixels(grad)
    scale = gamma * invstd
    slope = -scale * invstd * grad_gamma / len(flat)
    constant = -scale * grad_beta / len(flat) - slope * mean
    torch.addcmul(constant, flat, slope, out=flat).addcmul_(grads, scale)
    return z


def _kept(x: Tensor, stride: tuple[int, int]) -> Tensor:
    """Return the pixels that a stride keeps, channels-last; ``x`` itself if it keeps all."""
    if tuple(stride) == (1, 1):
        return x
    return x[:, :, :: stride[0], :: stride[1]].contiguous(memory_format=torch.channels_last)


def _pixels(x: Tensor) -> Tensor:
    """View channels-last images (N, C, H, W) as a matrix (N * H * W, C)."""
    return x.permute(0, 2, 3, 1).view(-1, x.shape[1])


def _moments(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (C,) and covariance (C, C) of M pixels (M, C), divided by M."""
    x = pixels.double() if pixels.shape[1] <= _FEW_CHANNELS else pixels
    mean = x.mean(0)
    return mean, torch.addmm(mean.outer(mean), x.T, x, beta=-1, alpha=1 / len(x))


def _point_map(
    mean: Tensor, covariance: Tensor, eps: tuple[float, float], *point: Tensor
) -> tuple[Tensor, Tensor]:
    """Return kernel (D, C) and shift (D,) of the sum of the 1x1 and the identity branch."""
    weight, gamma, beta, *identity = (tensor.to(mean) for tensor in point)
    scale = gamma * _rsqrt((weight @ covariance * weight).sum(1), eps[0])
    kernel = scale[:, None] * weight
    shift = beta - kernel @ mean
    if identity:
        own_scale = identity[0] * _rsqrt(covariance.diagonal(), eps[1])
        kernel = kernel + own_scale.diag()
        shift = shift + identity[1] - own_scale * mean
    return kernel.to(point[0]), shift.to(point[0])


def _rsqrt(variance: Tensor, eps: float) -> Tensor:
    return (_not_negative(variance) + eps).rsqrt()


def _not_negative(variance: Tensor) -> Tensor:
    """Return a variance; rounding can make that of an almost constant channel negative."""
    return variance.clamp_min(0)


def _count(norm: nn.BatchNorm2d) -> float:
    """Count a batch as a norm does, and return its share in the running statistics."""
    norm.num_batches_tracked.add_(1)
    return 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum


def _update(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor, pixels: int) -> None:
    share = _count(norm)
    unbiased = _not_negative(variance) * (pixels / max(pixels - 1, 1))
    norm.running_mean.lerp_(mean.to(norm.running_mean), share)
    norm.running_var.lerp_(unbiased.to(norm.running_var), share)
