"""Options of system E, planned trainings, the estimate, scalers, and the requirements of a corpus."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from overtone_cloud.corpora.utterance import Reading, Utterance
from overtone_cloud.errors import ConfigError, CorpusError
from overtone_models.networks import tf
from overtone_models.networks.papers import build
from overtone_papers.ensembles.data import fit_scaler, pool_of
from overtone_papers.ensembles.networks import BASES, MEMBERS, NETWORKS_OF, RECIPES, Settings, jobs_of
from overtone_papers.ensembles.search import options_of, ranges
from overtone_papers.ensembles.system import SYSTEM, estimate, needs
from overtone_papers.ensembles.training import Varied, varied


def reading(people, corpus):
    own = tuple(replace(u, id=u.id.split("/")[1]) for u in people if u.corpus == corpus)
    return Reading(corpus=corpus, root=Path(), utterances=own)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("calm", "keep", "is 'keep'; it takes drop, merge"),
        ("splits", "random,random", "is 'random,random'; it takes random, speaker, each once"),
        ("members", "e-cnn1d-lstm", "is 'e-cnn1d-lstm'; it takes 2 or more"),
        ("members", "e-cnn1d-lstm,x", "is 'e-cnn1d-lstm,x'; it takes e-cnn2d-lstm"),
        ("epochs", "0", "is 0, limit is 1..100000"),
        ("base", "e-fused", "is 'e-fused'; it takes e-cnn2d-lstm"),
    ],
)
def test_a_bad_value_names_its_option(study, option, value, message):
    with pytest.raises(ConfigError, match=re.escape(f"option {option} {message}")):
        study("1d", **{option: value}).settings(Settings)


def test_defaults_are_the_papers():
    assert Settings().members == MEMBERS == tuple(RECIPES)
    assert Settings().axis == "mel"
    assert Settings().augment == "none"


def test_ensemble_reuses_the_parts_trainings():
    alone = {job.name for part in NETWORKS_OF for job in jobs_of(part, Settings(), 2)}
    assert {job.name for job in jobs_of("ensemble", Settings(), 2)} <= alone


def test_names_of_trainings_differ():
    jobs = [job for part in SYSTEM.parts for job in jobs_of(part, Settings(), 2)]
    names = {job.name: (job.network, job.split, job.seed, job.scaled, job.target, str(job.options)) for job in jobs}
    assert len(set(names.values())) == len(names)


def test_estimate_names_hours_and_what_costs_them(people, study):
    whole = replace(study(*SYSTEM.parts), quick=False)
    assert "e-cnn2d-lstm and e-fused cost half a second per sample and epoch" in estimate(whole)
    assert "trainings" in estimate(study("1d"))
    assert "a minute" in estimate(study("statistics"))


def test_axis_without_a_network_that_has_one_is_refused(study):
    with pytest.raises(ConfigError, match="axis=time has no meaning for part 1d"):
        estimate(study("1d", axis="time"))


def test_needs_names_what_is_missing(people):
    both = {name: reading(people, name) for name in ("tess", "ravdess")}
    with pytest.raises(CorpusError, match=r"needs 40 utterances .* too few are neutral \(36\)"):
        needs(both)
    one = replace(both["tess"], utterances=tuple(u for u in both["tess"].utterances if u.speaker == "tess/a"))
    with pytest.raises(CorpusError, match=r"corpus tess has 1 speaker\(s\), system E needs 2"):
        needs({"tess": one})
    nobody = replace(both["tess"], utterances=tuple(replace(u, speaker=None) for u in both["tess"].utterances))
    with pytest.raises(CorpusError, match="utterances without a speaker"):
        needs({"tess": nobody})


def test_calm_is_dropped_or_merged():
    calm = Utterance(id="x", path=Path("x"), corpus="ravdess", label="calm", speaker="01")
    readings = {"ravdess": Reading(corpus="ravdess", root=Path(), utterances=(calm,))}
    assert pool_of(readings, "drop") == ()
    assert [(u.id, u.label, u.speaker) for u in pool_of(readings, "merge")] == [("ravdess/x", "neutral", "ravdess/01")]


@pytest.mark.parametrize(("kind", "shape"), [("row", (4, 1, 1)), ("cell", (4, 6, 1)), ("none", (1, 1, 1))])
def test_scaler_of_log_mels(kind, shape):
    x = np.random.default_rng(0).normal(3.0, 2.0, (50, 4, 6, 1)).astype(np.float32)
    x[:, :, 5] = -80.0
    scale = fit_scaler(x, kind)
    assert scale.mean.shape == scale.std.shape == shape
    scaled = scale(x)
    assert np.isfinite(scaled).all()
    if kind != "none":
        assert abs(scaled.mean()) < 1e-3
    if kind == "cell":
        np.testing.assert_allclose(scaled[:, :, 5], 0.0, atol=1e-4)  # a constant is centred, not blown up


def test_scaler_of_means_takes_each_by_itself():
    x = np.random.default_rng(1).normal(size=(40, 9, 1)).astype(np.float32) * np.arange(1, 10)[:, None]
    scaled = fit_scaler(x.astype(np.float32), "row")(x)
    np.testing.assert_allclose(scaled.std(0), 1.0, atol=1e-3)


def test_variation_changes_training_only():
    x = np.random.default_rng(2).normal(size=(8, 20, 40, 1)).astype(np.float32)
    layer = Varied()
    np.testing.assert_array_equal(layer(x, training=False), x)
    changed = np.asarray(layer(x, training=True))
    assert changed.shape == x.shape
    assert (changed == 0.0).any()
    assert not np.array_equal(changed, x)


def test_varied_network_trains_the_same_weights():
    model = build("e-fused")
    assert [w.path for w in varied(model).trainable_weights] == [w.path for w in model.trainable_weights]


@pytest.mark.parametrize("network", BASES)
def test_every_corner_of_the_ranges_builds(network):
    values = ranges(network)
    for end in (0, -1):
        corner = {name: options[end] for name, options in values.items()}
        assert build(network, **options_of(network, corner)).output_shape == (None, 7)
        tf.keras.backend.clear_session()
