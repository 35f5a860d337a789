# SPDX-License-Identifier: Apache-2.0
"""Registration.plot."""
import numpy as np


def plot(registration):
    """A figure: middle planes of fixed, unregistered and warped image, and the costs of the levels."""
    import matplotlib.pyplot as plt

    from ._images import as_image
    from ._transforms import Transform, apply
    fixed, moving = registration._fixed, registration._moving
    before = apply(moving, Transform(), fixed)
    columns = [("fixed", fixed), ("moving", before), ("warped", as_image(registration.warped)[0])]
    figure, axes = plt.subplots(2 if registration.costs else 1, 3, squeeze=False, figsize=(9, 6))
    for axis, (title, image) in zip(axes[0], columns):
        data = np.asarray(image)
        axis.imshow(data[data.shape[0] // 2] if data.ndim == 3 else data, cmap="gray", origin="lower")
        axis.set(title=title, xticks=[], yticks=[])
    for axis, (level, costs) in zip(axes[-1] if registration.costs else [], enumerate(registration.costs)):
        axis.plot(costs)
        axis.set(title=f"level {level + 1}", xlabel="iteration", ylabel="cost")
    return figure
