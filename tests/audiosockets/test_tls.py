"""Over TLS, with a certificate of one's own."""

import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from audiosockets import Refused
from audiosockets.cli import main
from tests.audiosockets.clients import TOKEN, Memory, Running, eventually, recording
from tests.audiosockets.conftest import noise_of
from tests.audiosockets.proxy import Proxy
from tests.integration.test_deploy import make_certificate
from tests.live_server import LiveServer

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


@pytest.fixture
def secure(server: LiveServer, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The URL, and the certificate to trust."""
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Proxy(server.port, tls=context) as proxy:
        yield f"https://127.0.0.1:{proxy.port}", str(certificate)


def test_audio_goes_both_ways(secure: tuple[str, str], stream: str, tmp_path: Path) -> None:
    url, certificate = secure
    with recording(url, stream, ca_file=certificate) as (_, source):
        config = tmp_path / "audiosockets.toml"
        config.write_text(f'server = "{url}"\nca_file = "{certificate}"\ntoken = "{TOKEN}"\nstream = "{stream}"\n')
        running = Running(memory := Memory(config))
        eventually(lambda: memory.streams)
        source.say(noise_of(1.0))
        assert main(["streams", "--config", str(config)]) == 0
    running.join()
    assert memory.pcm == noise_of(1.0)


def test_a_certificate_that_is_not_trusted_is_refused_at_once(secure: tuple[str, str], stream: str) -> None:
    with pytest.raises(Refused, match="certificate"):
        Memory(secure[0], stream, token=TOKEN).run()
    assert main(["streams", "--server", secure[0]]) == 1
