"""The truth in float64: signs read from the packed bytes, forward and backward passes written out by hand.

For layers W_1 .. W_L, z_l = a_{l-1} W_l^T with a_0 = x and a_l = tanh(z_l), the loss is the mean of (z_L - target)^2
over 2, and the gradient goes back as g_L = (z_L - target) / (N d), g_{l-1} = (g_l W_l) (1 - a_{l-1}^2), without the
last factor at x. An adapter that begins at zero changes neither.
"""

import numpy as np
import torch

from reproductions.reference.alphatuning.workload import Layer, Step, Tuning


def weights(layer: Layer) -> np.ndarray:
    """The matrix that a layer's codes stand for, [R, C] float64."""
    scales = layer.scales.detach().cpu().double().numpy()
    columns = layer.dense.shape[1]
    bits = np.unpackbits(layer.packed.cpu().numpy(), axis=2, bitorder="little")[:, :, :columns]
    total = np.zeros((bits.shape[1], columns))
    for pattern in range(bits.shape[0]):
        for row in range(bits.shape[1]):
            total[row] += np.where(bits[pattern, row] == 1, scales[pattern, row], -scales[pattern, row])
    return total


def oracle(w: Tuning) -> Step:
    """Loss (scalar) and gradient by x, [N, d], before any update."""
    matrices = [weights(layer) for layer in w.layers]
    inputs = [w.x.detach().cpu().double().numpy()]
    for number, matrix in enumerate(matrices):
        z = inputs[-1] @ matrix.T
        if number < len(matrices) - 1:
            inputs.append(np.tanh(z))
    wrong = z - w.target.detach().cpu().double().numpy()
    gradient = wrong / wrong.size
    for number in reversed(range(len(matrices))):
        gradient = gradient @ matrices[number]
        if number:
            gradient = gradient * (1 - inputs[number] ** 2)
    loss = torch.tensor((wrong**2).mean() / 2, dtype=torch.float64)
    return Step(loss, torch.from_numpy(gradient))
