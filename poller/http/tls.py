"""Verified TLS. This module chooses the trusted authorities; names and dates are always checked."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from poller.values.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Paths. `ca_bundle` may be a hashed directory; without `private_key` the certificate's file holds that too."""

    ca_bundle: str | None = None
    certificate: str | None = None
    private_key: str | None = None

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """A value that changes with the certificate's files. Raises OSError."""
        own = (self.certificate, self.private_key)
        found = [Path(file).stat() for file in own if file is not None]
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)

    def load_into(self, context: ssl.SSLContext) -> bool:
        """Read the client certificate from disk again, for new connections. Returns whether it could be read."""
        assert self.certificate is not None
        try:
            # the password keeps OpenSSL from asking for one on the terminal
            context.load_cert_chain(self.certificate, self.private_key, password="")
        except (OSError, ValueError):
            return False
        return True


def tls_context(files: TlsFiles | str | None = None) -> ssl.SSLContext:
    """Create a context that trusts only the bundle's authorities, else the system's, else certifi's.

    Raises ConfigurationError where a file cannot be used.
    """
    files = files if isinstance(files, TlsFiles) else TlsFiles(files)
    context = _trusting(files.ca_bundle)
    if files.certificate is not None and not files.load_into(context):
        raise ConfigurationError([f"the client certificate {files.certificate!r} cannot be used with its private key"])
    return context


def _trusting(ca_bundle: str | None) -> ssl.SSLContext:
    try:
        if ca_bundle is not None:
            place = Path(ca_bundle)
            context = ssl.create_default_context(
                cafile=None if place.is_dir() else ca_bundle, capath=ca_bundle if place.is_dir() else None
            )
        else:
            context = ssl.create_default_context()
            if not _has_authorities(context):
                context.load_verify_locations(_packaged_bundle())
    except (OSError, ValueError) as error:
        # ssl.SSLError is an OSError: the file contains no certificate
        raise ConfigurationError([f"the CA bundle {ca_bundle!r} cannot be used: {error}"]) from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def _has_authorities(context: ssl.SSLContext) -> bool:
    """Whether any authority is trusted. A directory's certificates are read on demand, and the context does not count
    them.
    """
    directory = ssl.get_default_verify_paths().capath
    return context.cert_store_stats()["x509_ca"] > 0 or (bool(directory) and any(Path(directory).glob("*.0")))


def _packaged_bundle() -> str:
    """Path of certifi's authorities, for machines without their own store."""
    try:
        import certifi  # noqa: PLC0415 - only where needed, and it may be missing
    except ImportError:
        raise ConfigurationError(["this machine trusts no CA: install ca-certificates, or set AWS_CA_BUNDLE"]) from None
    return certifi.where()
