# SPDX-License-Identifier: Apache-2.0
"""Drop-ins for icon_registration.losses: LNCC, SquaredLNCC, LNCCOnlyInterpolated."""
import math

import torch

from ._lncc import flat_params, lncc_sums, window_taps


def _kernel(sigma):
    """Normalised Gaussian of size 4 sigma + 1."""
    weights = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-2 * sigma, 2 * sigma + 1)]
    return [w / sum(weights) for w in weights]


class LNCC:
    """1 - mean local correlation (signed) under a Gaussian window; called with (image_A, image_B, mask_B=None)."""

    squared = False

    def __init__(self, sigma):
        self.isInterpolated = False
        self.sigma = sigma

    def __call__(self, image_A, image_B, mask_B=None):
        if image_A.shape != image_B.shape:
            raise ValueError(f"LNCC: the images are {tuple(image_A.shape)} and {tuple(image_B.shape)}, must be alike")
        mask = None if mask_B is None else (mask_B != 0).expand(image_B.shape)
        return 1 - self._mean(image_A, image_B, mask)

    def _mean(self, a, b, mask):
        """Mean over the mask of each sample, then over samples."""
        taps = window_taps(None, _kernel(self.sigma), None, a.ndim - 2)
        flat = flat_params(taps, "added_each", 1e-5, 0.0, self.squared, "means")
        sums = lncc_sums(a, b, flat, mask).sum(1)
        return (sums[:, 0] / sums[:, 1].clamp(min=1)).mean().to(a.dtype)


class SquaredLNCC(LNCC):
    """1 - mean squared local correlation."""

    squared = True


class LNCCOnlyInterpolated(LNCC):
    """LNCC over windows inside the moving image; the last channel of image_A marks where that is."""

    def __init__(self, sigma):
        super().__init__(sigma)
        self.isInterpolated = True

    def __call__(self, image_A, image_B):
        with torch.no_grad():
            at = torch.arange(-2 * self.sigma, 2 * self.sigma + 1, dtype=image_A.dtype, device=image_A.device)
            weights = torch.softmax(-0.5 * (at / self.sigma) ** 2, 0)
            inside = image_A[:, -1:]
            for axis in range(2, image_A.ndim):
                moved = inside.movedim(axis, -1)
                line = torch.nn.functional.conv1d(moved.reshape(-1, 1, moved.shape[-1]), weights.view(1, 1, -1),
                                                  padding="same")
                inside = line.view(moved.shape).movedim(-1, axis)
            mask = (inside > 0.999).expand(image_B.shape)
        return 1 - self._mean(image_A[:, :-1], image_B, mask)
