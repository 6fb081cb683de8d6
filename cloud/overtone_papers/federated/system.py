"""Paper A: federated emotion recognition with three networks, on TensorFlow Federated and on our own rounds."""

from overtone_papers.common.report import Part, Report
from overtone_papers.common.study import Study
from overtone_papers.common.system import System
from overtone_papers.federated import claims, data, parts
from overtone_papers.federated.experiment import CLIENT_NETWORKS, Experiment
from overtone_papers.federated.settings import OPTIONS, Settings, settings_of

SECONDS_A_CLIP = {"a-dense": 0.010, "a-conv": 0.003, "a-lstm": 0.05}
"""One pass over one clip, forth and back, on 2 cores (measured; rounds of the Dense network move 100 MB a client)."""
START_S = {"a-dense": 30.0, "a-conv": 12.0, "a-lstm": 20.0}
"""Start of TensorFlow Federated with its first round's overhead."""
TRAIN_SHARE = 0.8


def estimate(study: Study) -> str:
    """Return how many trainings there will be and about how long they take."""
    settings = settings_of(study)
    clips = TRAIN_SHARE * sum(len(data.used(reading)) for reading in study.readings.values())
    trainings, seconds = 0, 0.0
    for network in settings.networks:
        passes = _passes(study, settings, network)
        trainings += len(passes)
        seconds += sum(
            clips * SECONDS_A_CLIP[network] * n + (START_S[network] if federated else 1) for n, federated in passes
        )
    engines = " and ".join(settings.engines)
    return (
        f"system A: {trainings} trainings of {', '.join(settings.networks)} on {clips:.0f} clips ({engines}), about "
        f"{seconds / 60 + 1:.0f} min on 2 cores"
    )


def _passes(study: Study, settings: Settings, network: str) -> list[tuple[float, bool]]:
    """Return for each training of a network its passes over the data, and whether it is federated."""
    local = settings.recipes[network].local_epochs
    rounds, counted = local * settings.rounds, local * settings.clients_rounds
    found: list[tuple[float, bool]] = []
    engines = len(settings.engines)
    if "settings" in study.parts:
        found += len(settings.splits) * [(settings.epochs, False), *(2 * engines * [(rounds, True)])]
    if "clients" in study.parts and network in CLIENT_NETWORKS:
        found += engines * len(settings.client_counts) * [(counted, True)]
    if "speakers" in study.parts and network == Experiment.speaker_network(settings):
        found += 3 * engines * len(settings.splits) * [(rounds, True)]
    return study.seeds * found


def run(study: Study) -> Report:
    """Do the parts that the study names and read the paper's claims on their figures."""
    settings = settings_of(study)
    data.check_speakers(study, settings)
    experiment = Experiment(study, settings, data.read(study, settings))
    made: list[Part] = []
    main = experiment.settings_part() if "settings" in study.parts else []
    if main:
        made.append(parts.settings_part(study, settings, main))
    by_clients = experiment.clients_part() if "clients" in study.parts else []
    if by_clients:
        made.append(parts.clients_part(study, settings, by_clients))
    if "speakers" in study.parts:
        made.append(parts.speakers_part(settings, experiment.speakers_part()))
    read = claims.claims(settings, main, by_clients, quick=study.quick)
    return Report(parts=tuple(made), choices=claims.choices(settings), claims=read)


SYSTEM = System(
    letter="A",
    title="Federated emotion recognition",
    paper="Federated Learning for Emotion Recognition, I. Chau and D. Garces",
    parts=("settings", "clients", "speakers"),
    run=run,
    needs=data.needs,
    estimate=estimate,
    options=OPTIONS,
    requires="angry, happy, neutral and sad speech with speakers named (RAVDESS, IEMOCAP, CREMA-D, EmoDB ...)",
)
