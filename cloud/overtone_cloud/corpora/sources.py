"""Where the corpora come from, and on what terms (data in one table)."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Source:
    """A corpus' official address.

    `url` is None where it cannot simply be downloaded: `how` then says what to do instead. `checksum` is
    `algorithm:hexdigits` as the publisher gives it, None where the publisher gives none.
    """

    name: str
    title: str
    language: str
    licence: str
    page: str
    url: str | None = None
    file_name: str = ""
    size_bytes: int | None = None
    checksum: str | None = None
    how: str = ""


_ALL = (
    Source(
        name="ravdess",
        title="RAVDESS speech",
        language="English",
        licence="CC BY-NC-SA 4.0 (not for commercial use; share alike; cite Livingstone & Russo, 2018)",
        page="https://zenodo.org/records/1188976",
        url="https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1",
        file_name="Audio_Speech_Actors_01-24.zip",
        size_bytes=208_468_073,
        checksum="md5:bc696df654c87fed845eb13823edef8a",
    ),
    Source(
        name="tess",
        title="TESS",
        language="English",
        licence="CC BY-NC-ND 4.0 (not for commercial use; no derivatives; cite Pichora-Fuller, 2020)",
        page="https://doi.org/10.5683/SP2/E8H2MF",
        url="https://borealisdata.ca/api/access/dataset/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF",
        file_name="tess.zip",
    ),
    Source(
        name="emodb",
        title="Berlin EmoDB",
        language="German",
        licence="free for research with citation (Burkhardt et al., Interspeech 2005)",
        page="http://emodb.bilderbar.info/",
        url="http://emodb.bilderbar.info/download/download.zip",
        file_name="emodb.zip",
    ),
    Source(
        name="nemo",
        title="nEMO",
        language="Polish",
        licence="CC BY-NC-SA 4.0 (not for commercial use; share alike; cite Christop, 2024)",
        page="https://github.com/amu-cai/nEMO",
        url="https://github.com/amu-cai/nEMO/archive/06f1f83dde8f1a780443a57d53b2af3971af34ab.zip",
        file_name="nemo.zip",
    ),
    Source(
        name="crema-d",
        title="CREMA-D",
        language="English",
        licence="Open Database License 1.0 (cite Cao et al., 2014)",
        page="https://github.com/CheyneyComputerScience/CREMA-D",
        how="its sound lies in Git LFS: `git lfs install && git clone "
        "https://github.com/CheyneyComputerScience/CREMA-D`, then read the folder CREMA-D/AudioWAV",
    ),
    Source(
        name="savee",
        title="SAVEE",
        language="English",
        licence="free for research, after registration",
        page="http://kahlan.eps.surrey.ac.uk/savee/",
        how="register at http://kahlan.eps.surrey.ac.uk/savee/Register.html",
    ),
    Source(
        name="iemocap",
        title="IEMOCAP",
        language="English",
        licence="a licence that the University of Southern California grants on request",
        page="https://sail.usc.edu/iemocap/",
        how="ask for it at https://sail.usc.edu/iemocap/iemocap_release.htm",
    ),
)

SOURCES: dict[str, Source] = {source.name: source for source in _ALL}
