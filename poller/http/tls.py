"""Verified TLS. Which authorities are trusted is decided here; that names and dates are checked is not up to anyone."""

import ssl
from pathlib import Path

from poller.errors import ConfigurationError


def tls_context(ca_bundle: str | None = None) -> ssl.SSLContext:
    """Trust the authorities in `ca_bundle` (a file or a hashed directory) alone, else the system's, else certifi's.

    Raises ConfigurationError where the bundle cannot be read.
    """
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
        # ssl.SSLError is an OSError: a file that holds no certificate
        raise ConfigurationError([f"the CA bundle {ca_bundle!r} cannot be used: {error}"]) from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def _has_authorities(context: ssl.SSLContext) -> bool:
    """A directory's certificates are read when needed, so that they do not show in the context."""
    directory = ssl.get_default_verify_paths().capath
    return context.cert_store_stats()["x509_ca"] > 0 or (bool(directory) and any(Path(directory).glob("*.0")))


def _packaged_bundle() -> str:
    """For machines without a store of their own."""
    try:
        import certifi  # noqa: PLC0415 - only where needed, and it may be missing
    except ImportError:
        raise ConfigurationError(["this machine trusts no CA: install ca-certificates, or set AWS_CA_BUNDLE"]) from None
    return certifi.where()
