"""Which certificates are believed, and which one is shown."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def verifying_context(cert: Path | None, client_cert: Path | None) -> ssl.SSLContext:
    """Return a context that verifies against *cert*, or against the system's trust store.

    :param cert: file or folder of CA certificates in PEM format; it replaces the system's.
    :raises InputError: ``certificate-unreadable``: a file is missing or no PEM.
    """
    if cert is None:
        context = _system_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(**({"capath": str(cert)} if cert.is_dir() else {"cafile": str(cert)}))
        except (OSError, ssl.SSLError) as error:
            raise _unreadable("CA certificates", "--cert", cert, error) from None
    return _with_client_cert(context, client_cert)


def trusting_context(client_cert: Path | None) -> ssl.SSLContext:
    """Return a context that verifies nothing, for trusted hosts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _with_client_cert(context, client_cert)


def _system_context() -> ssl.SSLContext:
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not _system_has_authorities():
        # Slim containers have none; the HTTP library brings a list.
        import certifi

        context.load_verify_locations(cafile=certifi.where())
    return context


def _system_has_authorities() -> bool:
    """Whether the system has a trust store of its own, or OpenSSL's default places hold one."""
    if hasattr(ssl, "enum_certificates"):
        return True
    probe = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    probe.load_default_certs()
    # A folder of certificates is read when a connection is made, so it counts by being there.
    return bool(probe.cert_store_stats()["x509_ca"]) or ssl.get_default_verify_paths().capath is not None


def _with_client_cert(context: ssl.SSLContext, client_cert: Path | None) -> ssl.SSLContext:
    if client_cert is not None:
        try:
            # An encrypted key would make OpenSSL ask at the terminal; this makes it fail instead.
            context.load_cert_chain(client_cert, password=lambda: b"")
        except (OSError, ssl.SSLError) as error:
            raise _unreadable("the client certificate", "--client-cert", client_cert, error) from None
    return context


def _unreadable(what: str, option: str, path: Path, error: Exception) -> InputError:
    return InputError(
        f"could not read {what} from {path}: {error}",
        code="certificate-unreadable",
        hint=f"{option} takes a file in PEM format",
    )
