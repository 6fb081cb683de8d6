"""Paper A: federated emotion recognition with three networks, on TensorFlow Federated and on the product's rounds."""

from overtone_papers.common.data import pooled
from overtone_papers.common.options import described
from overtone_papers.common.report import Report
from overtone_papers.common.study import Study
from overtone_papers.common.system import System
from overtone_papers.federated import tables
from overtone_papers.federated.claims import choices, claims
from overtone_papers.federated.data import LABELS, Settings, check_speakers, needs, read
from overtone_papers.federated.training import Experiment, trainings

SECONDS_PER_CLIP = {"a-dense": 0.010, "a-conv": 0.003, "a-lstm": 0.05}
"""One pass over one clip, forth and back, on 2 cores (measured; rounds of the Dense network move 100 MB per client)."""
START_S = {"a-dense": 30.0, "a-conv": 12.0, "a-lstm": 20.0}
"""Start of TensorFlow Federated with its first round's overhead."""
TRAIN_SHARE = 0.8


def estimate(study: Study) -> str:
    """Return how many trainings there will be and about how long they take."""
    settings = study.settings(Settings)
    clips = TRAIN_SHARE * len(pooled(study.readings, LABELS))
    planned = [training for part in study.parts for training in trainings(part, settings, study.seeds)]
    seconds = sum(
        clips * SECONDS_PER_CLIP[t.network] * t.passes(settings) + (START_S[t.network] if t.partition else 1)
        for t in planned
    )
    return (
        f"system A: {len(planned)} trainings of {', '.join(settings.networks)} on {clips:.0f} clips "
        f"({' and '.join(settings.engines)}), about {seconds / 60 + 1:.0f} min on 2 cores"
    )


def run(study: Study) -> Report:
    """Do the parts of the study and read the paper's claims on their figures."""
    settings = study.settings(Settings)
    check_speakers(study, settings)
    experiment = Experiment(study=study, settings=settings, data=read(study, settings))
    results = {part: experiment.results(part) for part in study.parts}
    main, by_clients, speakers = (results.get(part, []) for part in SYSTEM.parts)
    parts = (
        *([tables.settings_part(study, settings, main)] if main else []),
        *([tables.clients_part(study, settings, by_clients)] if by_clients else []),
        *([tables.speakers_part(settings, speakers)] if speakers else []),
    )
    read_claims = claims(settings, main, by_clients, quick=study.quick)
    return Report(parts=parts, choices=choices(settings), claims=read_claims)


SYSTEM = System(
    letter="A",
    title="Federated emotion recognition",
    paper="Federated Learning for Emotion Recognition, I. Chau and D. Garces",
    parts=("settings", "clients", "speakers"),
    run=run,
    needs=needs,
    estimate=estimate,
    options=described(Settings),
    requires="angry, happy, neutral and sad speech with speakers named (RAVDESS, IEMOCAP, CREMA-D, EmoDB ...)",
)
