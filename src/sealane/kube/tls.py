"""TLS towards API servers: which authority to trust, which name to expect, which certificate to show.

Contexts are built once per client certificate and kept, because a new one for each request would cost a handshake each
time. Python only loads client keys from files, so data from a kubeconfig passes through a private temporary file that
is gone before the call returns.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path

from sealane.kube.auth import Identity
from sealane.kube.config import Context
from sealane.kube.errors import ConfigError


def build(context: Context, identity: Identity) -> ssl.SSLContext:
    """The TLS settings for a context and a client certificate. Blocks on files: call it in a thread.

    `ConfigError` names the authority, certificate or key that cannot be used.
    """
    settings = _trust(context)
    # Cluster authorities made by kubeadm and k3s lack the key identifiers that Python 3.13 demands.
    settings.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    if context.insecure:
        settings.check_hostname = False
        settings.verify_mode = ssl.CERT_NONE
    if identity.certificate:
        _show(settings, context, identity)
    return settings


def _trust(context: Context) -> ssl.SSLContext:
    what = context.ca_file or "certificate-authority-data"
    try:
        if context.ca_data:
            return ssl.create_default_context(cadata=context.ca_data.decode("ascii"))
        return ssl.create_default_context(cafile=context.ca_file or None)
    except FileNotFoundError as error:
        raise ConfigError(f"{context.name}: the certificate authority does not exist.", file=Path(what)) from error
    except (ssl.SSLError, ValueError, OSError) as error:
        raise ConfigError(f"{context.name}: {what} holds no usable certificate.") from error


def _show(settings: ssl.SSLContext, context: Context, identity: Identity) -> None:
    handle, name = tempfile.mkstemp(prefix="sealane-", suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(identity.certificate + b"\n" + identity.key)
        settings.load_cert_chain(name)
    except (ssl.SSLError, ValueError) as error:
        what = context.credentials.cert_file or "the client certificate"
        raise ConfigError(f"{context.name}: {what} and its key do not fit or are not PEM.") from error
    finally:
        Path(name).unlink(missing_ok=True)
