"""Certificates are verified against the file that was named, else the system's store; exempted hosts are not."""

from __future__ import annotations

import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest
from helpers.index import LocalIndex
from helpers.missing_parts import program

from safe_install.errors import ExitCode, InputError, NetworkError
from safe_install.index.tls import verifying_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from unit.index.conftest import MakeHttp


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file with a certificate for 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    openssl = program("openssl", "install OpenSSL's command")
    command = f"{openssl} req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=local -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [*command.split(), "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")],
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    return both


@pytest.fixture
def https_index(certificate: Path) -> Iterator[LocalIndex]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with LocalIndex(tls=tls) as index:
        index.add("demo-1.0.tar.gz", b"x")
        yield index


def test_an_unknown_authority_is_refused_at_once_with_a_way_out(https_index: LocalIndex, make_http: MakeHttp) -> None:
    with pytest.raises(NetworkError) as caught:
        make_http(retry_budget=60.0).get_page(https_index.url + "demo/", what="the page of demo")
    assert caught.value.code == "certificate-invalid"
    assert "--cert" in (caught.value.hint or "")
    assert "--trusted-host 127.0.0.1" in (caught.value.hint or "")


def test_an_own_authority_is_believed(https_index: LocalIndex, make_http: MakeHttp, certificate: Path) -> None:
    http = make_http(cert=certificate)
    assert http.get_page(https_index.url + "demo/", what="it").outcome == "found"


@pytest.mark.parametrize("with_port", [True, False])
def test_an_exempted_host_is_not_verified(https_index: LocalIndex, make_http: MakeHttp, with_port: bool) -> None:
    host = https_index.base.removeprefix("https://") if with_port else "127.0.0.1"
    http = make_http(trusted_hosts=(host,))
    assert http.get_page(https_index.url + "demo/", what="it").outcome == "found"


def test_only_the_exempted_host_and_port_are_not_verified(https_index: LocalIndex, make_http: MakeHttp) -> None:
    http = make_http(trusted_hosts=("other.example", "127.0.0.1:1"))
    with pytest.raises(NetworkError) as caught:
        http.get_page(https_index.url + "demo/", what="it")
    assert caught.value.code == "certificate-invalid"


def test_a_client_certificate_is_shown(certificate: Path, make_http: MakeHttp) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    tls.load_verify_locations(certificate)
    tls.verify_mode = ssl.CERT_REQUIRED
    with LocalIndex(tls=tls) as index:
        index.add("demo-1.0.tar.gz", b"x")
        url = index.url + "demo/"
        assert make_http(cert=certificate, client_cert=certificate).get_page(url, what="it").outcome == "found"
        with pytest.raises(NetworkError):
            make_http(cert=certificate).get_page(url, what="it")


def test_files_that_are_no_certificates_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    for cert, client_cert in ((text, None), (tmp_path / "absent", None), (None, text), (None, tmp_path / "absent")):
        with pytest.raises(InputError) as caught:
            verifying_context(cert, client_cert)
        assert (caught.value.code, caught.value.exit_code) == ("certificate-unreadable", ExitCode.USAGE)
        assert str(cert or client_cert) in caught.value.message


def test_an_encrypted_key_is_refused_without_asking(tmp_path: Path, certificate: Path) -> None:
    encrypted = tmp_path / "encrypted.pem"
    command = [str(program("openssl", "install OpenSSL's command")), "rsa", "-aes128", "-passout", "pass:secret"]
    subprocess.run([*command, "-in", str(certificate), "-out", str(encrypted)], check=True, capture_output=True)
    encrypted.write_bytes(encrypted.read_bytes() + certificate.read_bytes())
    with pytest.raises(InputError) as caught:
        verifying_context(None, encrypted)
    assert caught.value.code == "certificate-unreadable"
