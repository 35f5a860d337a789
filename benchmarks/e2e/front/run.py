#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Registers the pairs of pairs.py with many settings and appends a row for each to a file of JSON lines: Dice, HD95,
TRE, error of a known warp, SDlogJ, folds, seconds. What has a row already is not run again.
Usage: run.py FFDP PAIRS ROWS.jsonl [--settings FILE.jsonl] [--search N --seed S] [--only a1a2,a2a1]
              [--devices cpu | cuda:0,cuda:1] [--jobs N] [--seconds LIMIT]
A setting is an object of `preset` and paths of the recipe: {"preset": "fast", "deformable/0/step": 0.4}."""
import argparse
import concurrent.futures
import json
import pathlib
import queue
import random
import subprocess
import tempfile
import time

PRESETS = [{"preset": name} for name in ("fast", "default", "accurate")]


def drawn(rng):
    """A random setting around the presets."""
    pick, stage = rng.choice, "deformable/0/"
    setting = {"preset": pick(["default", "accurate"])}
    setting |= {stage + "metrics/0/radius": pick([2, 3, 4, 5, 6]), stage + "sigma_update": pick([0.4, 0.5, 0.6, 0.7, 0.8, 1.0]),
                stage + "sigma_warp": pick([0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7071]), stage + "step": pick([0.3, 0.5, 0.7, 1.0]),
                stage + "epsilon": pick([0.5, 1, 2, 4]),
                stage + "iterations": pick([[100, 50, 10], [100, 100, 20], [100, 100, 30], [150, 100, 50], [60, 60, 60]])}
    setting |= {stage + "damping": pick([0, 0.08, 0.12, 0.16, 0.2, 0.25]), stage + "metrics/0/coarse_radii": pick([[], [3], [2, 3]])}
    for name, values in (("update_fall", [0.3, 0.6]), ("warp_fall", [0.2, 0.4]),
                         ("metrics/0/floor", [1e-4, 1e-2, 3e-2])):
        if rng.random() < 0.4:
            setting[stage + name] = pick(values)
    if rng.random() < 0.4:  # a second metric beside the first
        setting["metrics"] = pick([["lncc", 2], ["lncc", 3], ["lncc", 7], ["mse", 0.3], ["mse", 1], ["mse", 3]])
    if setting["preset"] == "accurate":
        setting["refine"] = pick([8, 10, 16])
    return setting


def recipe(ffdp, setting):
    """The recipe of a setting: its preset, changed."""
    preset = setting.get("preset", "default")
    whole = json.loads(subprocess.run([ffdp, "register", "--preset", preset, "--print-config"], check=True,
                                      capture_output=True).stdout)
    for path, value in setting.items():
        if path == "preset":
            continue
        if path == "metrics":
            kind, number = value
            more = {"kind": kind, "radius": number} if kind == "lncc" else {"kind": kind, "weight": number}
            whole["deformable"][0]["metrics"].append(more)
            continue
        at, *names = whole, *path.split("/")
        for name in names[:-1]:
            at = at[int(name) if isinstance(at, list) else name]
        at[names[-1]] = value
    return whole


def measure(ffdp, pair, setting, device, threads):
    """One row: registers the pair and judges the result."""
    options = json.loads((pair / "pair.json").read_text())["options"]
    here = lambda name: str((pair / name).resolve())
    options = [here(o) if (pair / o).exists() else o for o in options]
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        (out / "recipe.json").write_text(json.dumps(recipe(ffdp, setting)))
        common = ["--threads", str(threads), "-q"]
        begin = time.time()
        given = ["--preset", setting["preset"]] if set(setting) == {"preset"} else ["--config", out / "recipe.json"]
        subprocess.run([ffdp, "register", here("fixed.nii.gz"), here("moving.nii.gz"), "-o", out / "r_", *given,
                        *options, "--device", device, "--write", "warp", *common], check=True, capture_output=True)
        row = {"seconds_command": round(time.time() - begin, 3)}
        chain = ["-t", out / "r_1Warp.nii.gz", "-t", out / "r_0GenericAffine.mat"]
        judge = ["--warp", out / "r_1Warp.nii.gz"]
        if (pair / "fixed_labels.nii.gz").exists():
            subprocess.run([ffdp, "apply", "-i", here("moving_labels.nii.gz"), "-r", here("fixed_labels.nii.gz"), *chain,
                            "-n", "nearest", "-o", out / "labels.nii.gz", *common], check=True, capture_output=True)
            judge += ["--fixed-labels", here("fixed_labels.nii.gz"), "--warped-labels", out / "labels.nii.gz"]
        if (pair / "true_warp.nii.gz").exists():
            judge += ["--true-warp", here("true_warp.nii.gz"), "--mask", here("mask.nii.gz"), *chain]
        if (pair / "fixed_points.csv").exists():
            judge += ["--fixed-points", here("fixed_points.csv"), "--moving-points", here("moving_points.csv"), *chain]
        subprocess.run([ffdp, "evaluate", *judge, "--json", out / "scores.json", *common], check=True, capture_output=True)
        scores = json.loads((out / "scores.json").read_text())
        row |= figures(scores)
        row["seconds"] = round(json.loads((out / "r_.json").read_text())["seconds"]["total"], 3)
    return row


def figures(scores):
    """What a row keeps of the scores of ffdp evaluate."""
    labels, warp, points, truth = (scores.get(part, {}) for part in ("labels", "warp", "points", "true_warp"))
    row = {"dice": labels.get("mean_dice"), "hd95_mm": labels.get("mean_hd95_mm"),
           "tre_mm": points.get("after", {}).get("mean_mm"), "error_mm": truth.get("mean_mm"),
           "sdlogj": warp.get("sd_log_j_inside", warp.get("sd_log_j_everywhere")), "folds": warp.get("folds_everywhere")}
    return {name: round(value, 4) for name, value in row.items() if value is not None}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ffdp")
    parser.add_argument("pairs", type=pathlib.Path)
    parser.add_argument("rows", type=pathlib.Path)
    parser.add_argument("--settings", type=pathlib.Path)
    parser.add_argument("--search", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only")
    parser.add_argument("--devices", default="cpu")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1e9)
    options = parser.parse_args()
    settings = PRESETS if options.settings is None else [json.loads(line) for line in options.settings.open()]
    rng = random.Random(options.seed)
    settings = settings + [drawn(rng) for _ in range(options.search)]
    names = options.only.split(",") if options.only else sorted(p.parent.name for p in options.pairs.glob("*/pair.json"))
    key = lambda pair, setting: json.dumps([pair, setting], sort_keys=True)
    done = {key(r["pair"], r["settings"]) for r in map(json.loads, options.rows.open())} if options.rows.exists() else set()
    work = [(n, s) for s in settings for n in names if key(n, s) not in done]
    devices = queue.Queue()
    for i in range(options.jobs):
        devices.put(options.devices.split(",")[i % len(options.devices.split(","))])
    begin = time.time()

    def one(pair, setting):
        if time.time() - begin > options.seconds:
            return None
        device = devices.get()
        try:
            return {"pair": pair, "settings": setting, **measure(options.ffdp, options.pairs / pair, setting, device,
                                                                  options.threads)}
        except subprocess.CalledProcessError as error:
            return {"pair": pair, "settings": setting, "error": error.stderr.decode()[-300:]}
        finally:
            devices.put(device)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool, options.rows.open("a") as rows:
        for future in concurrent.futures.as_completed([pool.submit(one, *w) for w in work]):
            if future.result():
                rows.write(json.dumps(future.result()) + "\n")
                rows.flush()


if __name__ == "__main__":
    main()
