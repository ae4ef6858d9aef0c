"""What checks show of the grader's own trainings: numbers and pictures, never a limit."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from autograder.models.training import BASELINES
from autograder.report.model import Named, Strip, Training

if TYPE_CHECKING:
    from autograder.models.training import TrainingResult

# So few digits that nobody can tell from a passing error where the hidden limit lies.
DECIMALS = 3
_SCALE = 2
_GAP = 2
_STRIPS = ("clean", "noisy", "denoised")


def denoising(question: str, title: str, result: TrainingResult) -> Training | None:
    """Return what a training from noisy to clean images came to; None where nothing was trained."""
    shown = result.shown
    if shown is None or result.error is None:
        return None
    baselines = zip(BASELINES, shown.baselines, strict=True)
    return Training(
        question=question,
        title=title,
        measure="mean squared error",
        error=round(result.error, DECIMALS),
        baselines=tuple(Named(name=name, value=round(value, DECIMALS)) for name, value in baselines),
        strips=tuple(Strip(name=name, picture=strip(getattr(shown, name), shown.shape)) for name in _STRIPS),
        remark=result.note,
    )


def strip(images: bytes, shape: tuple[int, ...]) -> str:
    """Return grey or coloured images (count, height, width, channels; 0 to 255) side by side, as PNG in base64."""
    import numpy as np
    from PIL import Image

    each = np.frombuffer(images, np.uint8).reshape(shape)
    if each.ndim != 4 or each.shape[3] not in (1, 3):
        raise ValueError(f"no images of one or three channels: {shape}")
    wide = np.pad(each, ((0, 0), (0, 0), (0, _GAP), (0, 0)), constant_values=127)
    row = np.concatenate(list(wide), axis=1)[:, :-_GAP]
    picture = Image.fromarray(row[..., 0] if row.shape[2] == 1 else row)
    picture = picture.resize((picture.width * _SCALE, picture.height * _SCALE), Image.Resampling.NEAREST)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
