"""nnU-Net 2-D: planned, preprocessed and trained by its own commands' functions, its trainer cut to the time.

The whole time counts: fingerprint, plans and preprocessing too. Of the rest, epochs hold 10 steps in place of 250, so
that its polynomial rate can fall by the time that is used up; nothing else is changed (batch and patch as planned for a
GPU of 8 GB, mirrored at test time, the weights of the end).
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import torch
from contract import Task, asked, read_labels

DATASET, NAME, STEPS = 1, "Dataset001_League", 10


def write_raw(task: Task, folder: Path) -> None:
    """Its raw layout: train and val pictures together, as it divides into folds itself."""
    for part in ("imagesTr", "labelsTr", "imagesTs"):
        (folder / part).mkdir(parents=True)
    pairs = task.pairs("train") + task.pairs("val")
    for image, mask in pairs:
        cv2.imwrite(str(folder / "imagesTr" / f"{image.stem}_0000.png"), cv2.imread(str(image)))
        labels = read_labels(mask)
        labels[labels == 255] = len(task.classes)
        cv2.imwrite(str(folder / "labelsTr" / f"{image.stem}.png"), labels)
    for image in (task.folder / "test/images").iterdir():
        cv2.imwrite(str(folder / "imagesTs" / f"{image.stem}_0000.png"), cv2.imread(str(image)))
    names = {name: index for index, name in enumerate(["background", *task.classes[1:]])}
    labels_of = names | ({"ignore": len(names)} if has_unknown(pairs) else {})
    said = {"channel_names": {"0": "R", "1": "G", "2": "B"}, "labels": labels_of, "numTraining": len(pairs)}
    (folder / "dataset.json").write_text(json.dumps(said | {"file_ending": ".png"}))


def has_unknown(pairs: list[tuple[Path, Path]]) -> bool:
    return any((read_labels(mask) == 255).any() for _, mask in pairs)


def main() -> None:
    task = asked()
    stores = {name: task.out / name for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")}
    os.environ |= {name: str(folder) for name, folder in stores.items()}
    os.environ |= {"nnUNet_n_proc_DA": "0", "nnUNet_compile": "f"}
    write_raw(task, stores["nnUNet_raw"] / NAME)
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    torch.set_num_threads(1)
    extract_fingerprints([DATASET], num_processes=1)
    plan_experiments([DATASET])
    preprocess([DATASET], configurations=("2d",), num_processes=(1,))
    plans = json.loads((stores["nnUNet_preprocessed"] / NAME / "nnUNetPlans.json").read_text())
    said = json.loads((stores["nnUNet_raw"] / NAME / "dataset.json").read_text())
    trainer = timed(nnUNetTrainer, task)(plans, "2d", "all", said, device=torch.device("cpu"))
    trainer.run_training()
    task.facts["steps"] = trainer.done
    predictor = nnUNetPredictor(use_mirroring=True, device=torch.device("cpu"), perform_everything_on_device=False)
    predictor.initialize_from_trained_model_folder(trainer.output_folder_base, ("all",), "checkpoint_final.pth")
    task.label(lambda image: predictor.predict_single_npy_array(
        image.transpose(2, 0, 1)[:, None].astype("float32"), {"spacing": (999, 1, 1)}, None, None, False
    )[0])  # fmt: skip
    shutil.rmtree(stores["nnUNet_preprocessed"])


def timed(trainer: Any, task: Task) -> Any:
    """The trainer with short epochs, whose rate falls by the time that is used up."""

    class Timed(trainer):  # type: ignore[misc]
        done = 0

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.num_iterations_per_epoch, self.num_val_iterations_per_epoch, self.num_epochs = STEPS, 1, 1000
            self.save_every = 10**6

        def on_train_epoch_start(self) -> None:
            super().on_train_epoch_start()
            rate = self.initial_lr * (1 - min(1.0, task.share())) ** 0.9
            for group in self.optimizer.param_groups:
                group["lr"] = rate

        def train_step(self, batch: Any) -> Any:
            if task.share() >= 1:
                self.num_epochs = self.current_epoch + 1  # ends with this epoch
                return {"loss": 0.0}
            Timed.done += 1
            return super().train_step(batch)

        def perform_actual_validation(self, save_probabilities: bool = False) -> None:
            """None: fold "all" would label its training pictures."""

        def run_training(self) -> None:
            self.on_train_start()
            while self.current_epoch < self.num_epochs:
                self.on_epoch_start()
                self.on_train_epoch_start()
                self.on_train_epoch_end([self.train_step(next(self.dataloader_train)) for _ in range(STEPS)])
                with torch.no_grad():
                    self.on_validation_epoch_start()
                    self.on_validation_epoch_end([self.validation_step(next(self.dataloader_val))])
                self.on_epoch_end()
            self.on_train_end()

    return Timed


if __name__ == "__main__":
    main()
