"""The split that chooses: the pair of the best epoch becomes the entry, where the recipe does not say the last."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from test_training import Say

from kerasgan import images, plotting, recipes, training, zoo


def test_the_average_that_validation_finds_best_becomes_the_entry(tiny_recipe, tiny_zoo, tmp_path, monkeypatch):
    """Stopped and resumed too: the best is remembered, and the split draws from no other random state."""
    monkeypatch.setenv("KERASGAN_ZOO", f"{tiny_zoo}{os.pathsep}{Path(zoo.HERE).parent / 'zoo'}")
    path, pictures = tmp_path / "chosen.toml", np.load(tiny_recipe.with_name("squares.npz"))["images"]
    np.savez(tmp_path / "held_out.npz", images=np.concatenate([np.roll(pictures, i, axis=1) for i in (1, 2, 3)]))
    text = (
        tiny_recipe.read_text()
        .replace("epochs = 6", "epochs = 3")
        .replace("[fine_tuning]", "run_eagerly = true\n\n[fine_tuning]")
        + 'extractor = "lenet_mnist"\n'
    )
    path.write_text(text.replace("[data]", f'[data]\nvalidation = "{(tmp_path / "held_out.npz").as_posix()}"'))
    run = tmp_path / "run"
    with pytest.raises(training.Interrupted):
        training.train(path, run, callbacks=[Say(6, signal.SIGTERM)], verbose=0)
    card = zoo.info(training.train(path, run, resume=True, verbose=0))
    values = [epoch["val_frechet_distance"] for epoch in card["history"]]
    assert len(values) == 3 and len(set(values)) == 3 and np.isfinite(values).all()
    epoch = int(np.argmin(values)) + 1
    said = f"epoch {epoch}: the best val_frechet_distance of the average, {min(values):.4g} on the validation split"
    assert card["training"]["chosen"] == said
    best = recipes.build(card["model"])
    best.average.load_weights(run / "best.weights.h5")
    entry = zoo.load(run / "entry")
    assert all(map(np.array_equal, entry.average.get_weights(), best.average.get_weights()))
    drawn, kept = plotting.grid(entry.generate(64, seed=0)), images.read(run / "samples" / f"epoch-000{epoch}.png")
    np.testing.assert_array_equal(drawn, kept)
    path.write_text(path.read_text().replace("[training]", '[training]\nchoose = "last"'))
    path.write_text(path.read_text().replace("[training]", "[training]\nvalidate_every = 2"))
    assert "chosen" not in zoo.info(training.train(path, run, resume=True, verbose=0))["training"]
    again = zoo.info(training.train(path, tmp_path / "again", verbose=0))["history"]
    assert ["val_frechet_distance" in epoch for epoch in again] == [False, True, False]
    assert again[1]["val_frechet_distance"] == pytest.approx(values[1], rel=1e-3)
    drawn, kept = plotting.grid(zoo.load(run / "entry").generate(64, seed=0)), run / "samples" / "epoch-0003.png"
    np.testing.assert_array_equal(drawn, images.read(kept))
    assert zoo.verify(run / "entry")["ok"]
