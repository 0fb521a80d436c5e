"""The convolutions of the backbones and heads: without bias, zero-padded, Kaiming-initialised."""

from torch import nn


def conv(
    in_channels: int, out_channels: int, kernel_size: int = 1, *, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Conv2d:
    """A convolution without bias, padded so that stride 1 keeps the size; weights ~ N(0, 2 / fan_out)."""
    layer = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding=dilation * (kernel_size - 1) // 2,
        dilation=dilation,
        groups=groups,
        bias=False,
    )
    nn.init.kaiming_normal_(layer.weight, mode="fan_out")
    return layer


def conv_bn(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 1,
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    activation: type[nn.ReLU] | type[nn.ReLU6] | None,
) -> nn.Sequential:
    """The convolution, BatchNorm and, where given, the activation."""
    layers: list[nn.Module] = [
        conv(in_channels, out_channels, kernel_size, stride=stride, dilation=dilation, groups=groups),
        nn.BatchNorm2d(out_channels),
    ]
    if activation is not None:
        layers.append(activation(inplace=True))
    return nn.Sequential(*layers)


def dilated_stages(strides: tuple[int, ...], reduction: int, output_stride: int) -> list[tuple[int, int, int]]:
    """Replace strides by dilation where the features' stride would exceed ``output_stride``.

    Args:
        strides: the first stride of each stage.
        reduction: the stride of the features before the first stage.
        output_stride: the wanted stride of the last stage's features, a power of two.

    Returns:
        for each stage (stride, rate before, rate after): "before" is the dilation rate of the convolution that had the
        stride, "after" that of all later ones. The features of the original network are then those of the dilated one
        at every n-th position (DeepLab, arXiv 1606.00915, section 3.1).
    """
    stages, rate = [], 1
    for stride in strides:
        if reduction * stride <= output_stride:
            stages.append((stride, rate, rate))
            reduction *= stride
        else:
            stages.append((1, rate, rate * stride))
            rate *= stride
    return stages
