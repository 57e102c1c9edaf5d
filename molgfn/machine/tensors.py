"""Tensors that molgfn wrote and reads back: names, kinds, shapes and numbers are checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from molgfn.errors import CheckpointError

#: Stands for a size that may be any.
ANY = -1


def parse_tensors(content: bytes, source: object, cure: str) -> dict[str, Tensor]:
    """Read the content of a safetensors file, onto the CPU.

    Args:
        content: All bytes of the file.
        source: The file, for messages.
        cure: What messages advise.

    Raises:
        CheckpointError: It is no such file.
    """
    try:
        return load(content)
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        text = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{source} cannot be read as safetensors ({text}); {cure}") from error


def check_tensors(
    tensors: Mapping[str, Tensor], like: Mapping[str, Tensor], source: object, cure: str
) -> None:
    """Refuse tensors that are not those of a network.

    Args:
        tensors: The tensors.
        like: Tensors of the names, kinds and shapes expected; floating-point numbers may be kept
            in any precision.
        source: The file, for messages.
        cure: What messages advise.

    Raises:
        CheckpointError: One is missing, too many, of another kind or shape, or not finite.
    """
    if wrong := sorted(set(tensors) ^ set(like)):
        problem = "is missing" if wrong[0] in like else "is not expected"
        raise CheckpointError(f"{source}: the tensor {wrong[0]} {problem}; {cure}")
    for name, expected in like.items():
        check_tensor(tensors[name], expected.dtype, expected.shape, f"{source}: {name}", cure)


def check_tensor(
    tensor: Tensor, dtype: torch.dtype, shape: Sequence[int], source: object, cure: str
) -> None:
    """Refuse a tensor of another kind or shape, or with numbers that are not finite.

    Args:
        tensor: The tensor.
        dtype: Kind expected; floating-point numbers may have any precision.
        shape: Shape expected; a size of ``ANY`` fits all.
        source: File and name, for messages.
        cure: What messages advise.

    Raises:
        CheckpointError: It is refused.
    """
    is_kind = tensor.is_floating_point() if dtype.is_floating_point else tensor.dtype == dtype
    fits = len(shape) == tensor.ndim and all(
        size in (ANY, found) for size, found in zip(shape, tensor.shape, strict=True)
    )
    if not (is_kind and fits):
        sizes = ["any" if size == ANY else size for size in shape]
        raise CheckpointError(
            f"{source} is {tensor.dtype} of shape {list(tensor.shape)}, expected {dtype} of shape "
            f"[{', '.join(map(str, sizes))}]; {cure}"
        )
    if tensor.is_floating_point() and not tensor.isfinite().all():
        raise CheckpointError(f"{source} holds a NaN or an infinity; {cure}")
