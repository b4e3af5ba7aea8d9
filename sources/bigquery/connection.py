"""Connections: Google's clients, made where they are used, and their errors as ours.

Importing Google's packages costs about a second and is left to the first use. A client is never pickled: a unit
carries the configuration and its worker makes its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from columns.errors import EnvironmentProblem, InputError, ThresherError
from sources.bigquery.config import BigQueryConfig, is_local
from sources.tables.parquet import one_line

_MESSAGE_BYTES = ("grpc.max_receive_message_length", -1)


@contextmanager
def rest_client(config: BigQueryConfig) -> Iterator[Any]:
    """A ``google.cloud.bigquery.Client``, closed at the end: jobs and tables."""
    _require_packages()
    from google.cloud import bigquery

    options: dict[str, Any] = {"project": config.project or None, "location": config.location or None}
    if config.api:
        options["client_options"] = {"api_endpoint": config.api}
    if is_local(config.api):
        from google.auth.credentials import AnonymousCredentials

        options |= {"credentials": AnonymousCredentials(), "project": config.project or "local"}
    try:
        client = bigquery.Client(**options)
    except OSError:
        raise EnvironmentProblem("no project to bill is known", hint="name one in the settings") from None
    try:
        yield client
    finally:
        client.close()


@contextmanager
def storage_client(config: BigQueryConfig) -> Iterator[Any]:
    """The generated client of the Storage Read API, closed at the end: sessions and streams.

    Google's hand-written wrapper above it reads forever where a server keeps failing; `streams` resumes itself.
    """
    _require_packages()
    from google.cloud.bigquery_storage_v1.services import big_query_read as read

    if is_local(config.storage):
        import grpc

        channel = grpc.insecure_channel(config.storage, options=[_MESSAGE_BYTES])
        transport = read.transports.BigQueryReadGrpcTransport(channel=channel)
        client = read.BigQueryReadClient(transport=transport)
    else:
        options = {"api_endpoint": config.storage} if config.storage else None
        client = read.BigQueryReadClient(client_options=options)
    with client:
        yield client


def transient() -> tuple[type[Exception], ...]:
    """The errors after which a stream is asked again, at the offset it had reached."""
    from google.api_core import exceptions as google

    return (
        google.Aborted,
        google.DeadlineExceeded,
        google.InternalServerError,
        google.ServiceUnavailable,
        google.TooManyRequests,
        google.Unknown,
    )


@contextmanager
def mended(name: str, hint: str | None = None) -> Iterator[None]:
    """Turn Google's errors into one a user can act on; ``name`` is what was read or asked, ``hint`` what may help
    where the service says that it cannot be.

    Messages of failed sign-ins are not repeated: they may quote what was sent.
    """
    _require_packages()
    from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

    try:
        yield
    except DefaultCredentialsError:
        cure = "gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS"
        raise EnvironmentProblem("no Google credentials found", hint=cure) from None
    except GoogleAuthError as error:
        what = f"Google refused the credentials ({type(error).__name__})"
        raise EnvironmentProblem(what, hint="gcloud auth application-default login") from None
    except GoogleAPICallError as error:
        raise _problem(name, error, hint) from None
    except (GoogleAPIError, OSError) as error:
        what = f"{name}: BigQuery cannot be reached ({type(error).__name__})"
        raise EnvironmentProblem(what, hint="check the network, then run again") from None


def _require_packages() -> None:
    try:
        import google.cloud.bigquery
        import google.cloud.bigquery_storage_v1  # noqa: F401
    except ImportError:
        hint = "pip install 'thresher[gcp]'"
        raise EnvironmentProblem("BigQuery needs Google's client packages", hint=hint) from None


def _problem(name: str, error: Any, hint: str | None) -> ThresherError:
    reasons = {found.get("reason") for found in error.errors if isinstance(found, dict)}
    said = one_line(Exception(error.message or type(error).__name__))
    if "bytesBilledLimitExceeded" in reasons or "limit for bytes billed" in said:
        return InputError(f"{name}: {said}", hint="raise max_bytes_billed, or select less")
    if error.code == 404:
        return InputError(
            f"{name}: {said}", hint="expected PROJECT.DATASET.TABLE that these credentials may see"
        )
    if error.code in {401, 403}:
        return EnvironmentProblem(
            f"{name}: {said}",
            hint="needs bigquery.jobs.create and bigquery.readsessions.create in the billed project",
        )
    if error.code == 400:
        return InputError(f"{name}: {said}", hint=hint)
    return EnvironmentProblem(f"{name}: BigQuery failed: {said}", hint="run again; it goes on where it can")
