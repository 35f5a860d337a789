#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Do the images agree where a registration maps a landmark, or where the landmark says? Prints for each landmark the
distance between the two, and the correlation of a ball around it with the moving image at either place.
Usage: landmarks.py FFDP PAIR [register options]   (PAIR: a folder of front/pairs.py with landmarks; nibabel, scipy)"""
import json
import pathlib
import subprocess
import sys
import tempfile

import nibabel
import numpy
from scipy.ndimage import map_coordinates

RADIUS, STEP = 5.0, 1.25  # of the ball, and between its samples [mm]


class Image:
    def __init__(self, path):
        image = nibabel.load(path)
        self.data, self.to_index = numpy.asarray(image.dataobj, float), numpy.linalg.inv(image.affine)

    def at(self, points):
        """Intensities at points (n, 3) in LPS, mm."""
        ras = points * [-1, -1, 1]
        return map_coordinates(self.data, (ras @ self.to_index[:3, :3].T + self.to_index[:3, 3]).T, order=1)


def points_of(path):
    return numpy.loadtxt(path, delimiter=",", skiprows=1)[:, :3]


def main(ffdp, pair, *options):
    pair = pathlib.Path(pair)
    given = json.loads((pair / "pair.json").read_text())["options"]
    given = [str(pair / o) if (pair / o).exists() else o for o in given]
    fixed, moving = (Image(pair / f"{name}.nii.gz") for name in ("fixed", "moving"))
    landmarks, wanted = (points_of(pair / f"{name}_points.csv") for name in ("fixed", "moving"))
    axis = numpy.arange(-RADIUS, RADIUS + STEP / 2, STEP)
    ball = numpy.stack(numpy.meshgrid(axis, axis, axis), -1).reshape(-1, 3)
    ball = ball[numpy.linalg.norm(ball, axis=1) <= RADIUS]
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        subprocess.run([ffdp, "register", pair / "fixed.nii.gz", pair / "moving.nii.gz", "-o", out / "r_", "--write", "warp",
                        "-q", *given, *options], check=True)

        def mapped(points):
            numpy.savetxt(out / "p.csv", points, delimiter=",", header="x,y,z", comments="")
            subprocess.run([ffdp, "apply", "-q", "-i", out / "p.csv", "-o", out / "q.csv", "-t", out / "r_1Warp.nii.gz", "-t",
                            out / "r_0GenericAffine.mat"], check=True)
            return points_of(out / "q.csv")
        centres = mapped(landmarks)
        balls = mapped((landmarks[:, None] + ball).reshape(-1, 3)).reshape(len(landmarks), -1, 3)
    print("landmark  distance [mm]  correlation at the map's place, at the landmark's")
    for k, (point, centre, place, want) in enumerate(zip(landmarks, centres, balls, wanted)):
        seen = fixed.at(point + ball)
        ours, theirs = (numpy.corrcoef(seen, moving.at(p))[0, 1] for p in (place, place - centre + want))
        print(f"{k:8d}  {numpy.linalg.norm(centre - want):13.2f}  {ours:.3f}, {theirs:.3f}")
    print(f"mean {numpy.linalg.norm(centres - wanted, axis=1).mean():.3f} mm")


if __name__ == "__main__":
    main(*sys.argv[1:])
