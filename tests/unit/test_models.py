"""Every kind of reference, and one sentence for everything that can be wrong with it."""

import zipfile
from pathlib import Path

import pytest
import yaml

from recognizer.base import ModelError
from recognizer.models import _unpack, resolve

CONFIG = "exp/asr/config.yaml"
WEIGHTS = "exp/asr/model.pth"
OUTSIDE = f"{{yaml_files: {{asr_train_config: {CONFIG}}}, files: {{asr_model_file: ../m.pth}}}}"


def package(**changes: str | None) -> dict[str, str]:
    """The members of a small package; `None` leaves one out."""
    meta = {
        "yaml_files": {"asr_train_config": CONFIG},
        "files": {"asr_model_file": WEIGHTS},
        "decoding": {"ctc_weight": 0.3},
    }
    members = {"meta.yaml": yaml.safe_dump(meta), CONFIG: "frontend_conf: {fs: 16k}", WEIGHTS: "weights"}
    changed = {**members, **{name.replace("__", "/"): text for name, text in changes.items()}}
    return {name: text for name, text in changed.items() if text is not None}


def write_zip(path: Path, members: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def write_directory(folder: Path, members: dict[str, str]) -> Path:
    for name, text in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_zip_is_unpacked_once(tmp_path: Path) -> None:
    path, cache = write_zip(tmp_path / "m.zip", package()), tmp_path / "cache"
    files = resolve(str(path), cache)
    assert files.asr_model_file.read_text() == "weights" and files.decoding == {"ctc_weight": 0.3}
    files.asr_model_file.write_text("kept")
    assert resolve(str(path), cache).asr_model_file.read_text() == "kept"
    assert len(list(cache.iterdir())) == 1, "nothing is left of the unpacking"


def test_a_bundled_name(tmp_path: Path) -> None:
    write_zip(tmp_path / "en-small.zip", package())
    assert resolve("bundled:en-small", tmp_path / "cache", tmp_path).name == "bundled:en-small"


def test_a_directory(tmp_path: Path) -> None:
    folder = write_directory(tmp_path / "model", package())
    assert resolve(str(folder), tmp_path / "cache").asr_train_config == folder / CONFIG


@pytest.mark.parametrize("written", ["exp/stats.npz", "./exp/stats.npz", "/exp/stats.npz"])
def test_names_in_the_config_become_paths_and_the_package_stays(tmp_path: Path, written: str) -> None:
    config = f"{{token_list: [exp/stats.npz], normalize_conf: {{stats_file: {written}}}, bpemodel: null}}"
    members = package(**{CONFIG: config, "exp/stats.npz": "statistics"})
    folder = write_directory(tmp_path / "model", members)
    for reference in (folder, write_zip(tmp_path / "m.zip", members)):
        found = yaml.safe_load(resolve(str(reference), tmp_path / "cache").asr_train_config.read_text())
        assert Path(found["normalize_conf"]["stats_file"]).read_text() == "statistics"
        assert found["token_list"] == ["exp/stats.npz"], "tokens are no paths"
    assert (folder / CONFIG).read_text() == config


def test_a_package_that_was_packed_outside_of_its_working_directory(tmp_path: Path) -> None:
    meta = f"{{yaml_files: {{asr_train_config: /{CONFIG}}}, files: {{asr_model_file: /{WEIGHTS}}}}}"
    path = write_zip(tmp_path / "m.zip", package(**{"meta.yaml": meta}))
    assert resolve(str(path), tmp_path / "cache").asr_model_file.read_text() == "weights"


def test_a_language_model_comes_along(tmp_path: Path) -> None:
    meta = yaml.safe_load(package()["meta.yaml"])
    meta["yaml_files"]["lm_train_config"], meta["files"]["lm_file"] = "exp/lm.yaml", "exp/lm.pth"
    members = package(**{"meta.yaml": yaml.safe_dump(meta), "exp/lm.yaml": "{}", "exp/lm.pth": "lm"})
    files = resolve(str(write_zip(tmp_path / "m.zip", members)), tmp_path / "cache")
    assert files.lm_file is not None and files.lm_file.read_text() == "lm"
    assert files.lm_train_config is not None and files.lm_train_config.name == "lm.yaml"


def test_two_servers_that_unpack_at_once(tmp_path: Path) -> None:
    path, cache = write_zip(tmp_path / "m.zip", package()), tmp_path / "cache"
    first = resolve(str(path), cache)
    _unpack(path, first.asr_model_file.parent.parent.parent)  # the second saw no folder a moment ago
    assert first.asr_model_file.read_text() == "weights" and len(list(cache.iterdir())) == 1


def test_a_zoo_name_loads_from_the_cache_without_a_network(tmp_path: Path, no_network: None) -> None:
    from espnet_model_zoo.downloader import ModelDownloader, str_to_hash

    name = "Shinji Watanabe/laborotv_asr_train_asr_conformer2_latest33_raw_char_sp_valid.acc.ave"
    zoo = ModelDownloader(str(tmp_path / "zoo"))
    url = zoo.get_url(name)
    folder = tmp_path / "zoo" / str_to_hash(url)
    folder.mkdir()
    write_zip(folder / zoo._get_file_name(url), package())
    assert resolve(name, tmp_path).asr_model_file.read_text() == "weights"


def test_a_damaged_download_is_deleted(tmp_path: Path, no_network: None, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_zip(tmp_path / "m.zip", package())
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr("recognizer.models._download", lambda reference, folder: path)
    (tmp_path / "cache" / "zoo").mkdir(parents=True)
    with pytest.raises(ModelError, match="it was deleted, start again to download it once more"):
        resolve("some/model", tmp_path / "cache")
    assert not path.exists()
    path.write_bytes(whole)
    assert resolve("some/model", tmp_path / "cache").asr_model_file.read_text() == "weights"


def test_what_was_downloaded_once_is_not_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = write_directory(tmp_path / "snapshot", package())
    asked = []

    def download(reference: str, folder: Path) -> Path:
        asked.append(reference)
        return snapshot

    monkeypatch.setattr("recognizer.models._download", download)
    (tmp_path / "cache" / "zoo").mkdir(parents=True)
    for _ in range(2):
        assert resolve("some/model", tmp_path / "cache").asr_model_file == snapshot / WEIGHTS
    assert asked == ["some/model"]


@pytest.mark.filterwarnings("default")
def test_a_zoo_name_without_cache_and_network_is_one_sentence(tmp_path: Path, no_network: None) -> None:
    with pytest.raises(ModelError, match="cannot be downloaded .*; is there a network"):
        resolve("nobody/no-such-model", tmp_path)


@pytest.mark.parametrize(
    "members, complaint",
    [
        (package(**{"meta.yaml": None}), "the file meta.yaml is missing in the model"),
        (package(**{"meta.yaml": "{"}), "the file meta.yaml of the model .* cannot be read"),
        (package(**{"meta.yaml": "files: {}"}), "meta.yaml of the model .* names no asr_train_config"),
        (package(**{WEIGHTS: None}), f"the file {WEIGHTS} is missing in the model"),
        (package(**{"meta.yaml": OUTSIDE}), "names a file outside of the model: ../m.pth"),
        (package(**{CONFIG: "frontend_conf: {fs: 8000}"}), "hears 8000 Hz; this service needs 16000 Hz"),
    ],
)
def test_a_wrong_package_is_named(tmp_path: Path, members: dict[str, str], complaint: str) -> None:
    path = write_zip(tmp_path / "m.zip", members)
    with pytest.raises(ModelError, match=complaint):
        resolve(str(path), tmp_path / "cache")


def test_a_damaged_zip_is_named(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "m.zip", package())
    data = bytearray(path.read_bytes())
    data[data.index(b"weights")] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=f"m.zip cannot be unpacked: Bad CRC-32 for file .{WEIGHTS}"):
        resolve(str(path), tmp_path / "cache")
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match="m.zip cannot be unpacked"):
        resolve(str(path), tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_damaged_compressed_member_is_named(method: int, tmp_path: Path) -> None:
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(WEIGHTS, "weights " * 1000)
    data = bytearray(path.read_bytes())
    start = data.index(WEIGHTS.encode()) + len(WEIGHTS)
    data[start : start + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(ModelError, match="m.zip cannot be unpacked"):
        resolve(str(path), tmp_path / "cache")


def test_no_member_leaves_the_folder(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "m.zip", {**package(), "../../outside": "x"})
    resolve(str(path), tmp_path / "cache")
    assert not (tmp_path / "outside").exists() and not (tmp_path / "cache" / "outside").exists()


@pytest.mark.parametrize(
    "reference, complaint",
    [
        ("bundled:nothing", "no bundled model is named 'bundled:nothing'; there is bundled:en"),
        ("bundled:../x", "no bundled model is named"),
        ("missing.zip", "the model file missing.zip does not exist"),
        ("/missing/model", "the model /missing/model does not exist"),
        ("nonsense", "'nonsense' is no bundled:NAME, .zip, directory with meta.yaml, zoo name or hub id"),
    ],
)
def test_a_reference_to_nothing(tmp_path: Path, reference: str, complaint: str) -> None:
    write_zip(tmp_path / "en.zip", package())
    with pytest.raises(ModelError, match=complaint):
        resolve(reference, tmp_path / "cache", tmp_path)
