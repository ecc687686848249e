"""What the API answers when a request cannot be served.

Every error is JSON: ``message`` says what is wrong in a sentence, ``_links.self`` names the request and
``_embedded.errors`` holds the single problems where there are several. No answer ever holds a stack
trace: what nobody foresaw is logged with an id, and the answer names the id.

Documentation page: ``docs/api.md``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from windhover.engine.messages import (
    CommandRefused,
    ExecutionNotFound,
    NothingToRestart,
    RevisionNotFound,
    TaskRunNotFound,
)
from windhover.model.problem import FlowInvalid, Problem
from windhover.queue.local import QueueClosed
from windhover.repository.errors import FlowConflict, RepositoryError, RepositoryUnavailable
from windhover.repository.filters import InvalidFilter
from windhover.repository.flow_definitions import FlowNotFound, FlowUnreadable
from windhover.storage import (
    InvalidStorageUriError,
    StorageError,
    StorageFileNotFoundError,
    StorageLimitError,
)
from windhover.util.ids import new_id
from windhover.webserver.responses import JsonResponse

logger = logging.getLogger(__name__)

#: Seconds after which a client should ask again when a part of the server is away.
RETRY_AFTER = 2


class ErrorDetail(msgspec.Struct, omit_defaults=True):
    """One of several problems; ``path`` says what of the request it is about.

    In the text of a flow it has a ``line`` and a ``column``, and where a name is misspelt a ``suggestion``.
    """

    message: str
    path: str | None = None
    line: int | None = None
    column: int | None = None
    suggestion: str | None = None


class Link(msgspec.Struct):
    href: str
    templated: bool = False


class ErrorLinks(msgspec.Struct):
    self: Link


class EmbeddedErrors(msgspec.Struct):
    errors: list[ErrorDetail]


class ErrorJson(msgspec.Struct, rename={"links": "_links", "embedded": "_embedded"}, omit_defaults=True):
    """The body of every answer that is an error."""

    message: str
    links: ErrorLinks
    embedded: EmbeddedErrors | None = None


class ApiError(Exception):
    """A request that is answered with an error. The message is for whoever sent it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        details: Sequence[ErrorDetail] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = tuple(details)
        self.headers = headers


def bad_request(message: str) -> ApiError:
    return ApiError(400, message)


def not_found(message: str) -> ApiError:
    return ApiError(404, f"Not Found: {message}")


def conflict(message: str) -> ApiError:
    return ApiError(409, f"Illegal state: {message}")


def too_large(message: str) -> ApiError:
    return ApiError(413, message)


def invalid_entity(message: str, details: Sequence[ErrorDetail] = ()) -> ApiError:
    return ApiError(422, f"Invalid entity: {message}", details=details)


def unavailable(message: str, retry_after: int = RETRY_AFTER) -> ApiError:
    return ApiError(503, message, headers={"Retry-After": str(retry_after)})


def error_response(path: str, error: ApiError) -> JsonResponse:
    """The answer for an error."""
    embedded = EmbeddedErrors(list(error.details)) if error.details else None
    body = ErrorJson(error.message, ErrorLinks(Link(path)), embedded)
    return JsonResponse(body, error.status, error.headers)


def detail_of(problem: Problem) -> ErrorDetail:
    """What is wrong with a flow, and where."""
    return ErrorDetail(
        problem.message, problem.path or None, problem.line, problem.column, problem.suggestion
    )


def translate(error: Exception) -> ApiError | None:
    """The API's error for one of the lower floors; None for what nobody foresaw."""
    match error:
        case ApiError():
            return error
        case FlowInvalid():
            return invalid_entity(error.constraints, list(map(detail_of, error.problems)))
        case RepositoryUnavailable():
            return unavailable("The database cannot be reached at the moment.")
        case FlowNotFound():
            return not_found(str(error))
        case FlowUnreadable() | FlowConflict():
            return conflict(str(error))
        case InvalidFilter():
            return bad_request(str(error))
        case ExecutionNotFound() | TaskRunNotFound() | RevisionNotFound():
            return not_found(str(error))
        case NothingToRestart():
            return invalid_entity(str(error))
        case CommandRefused():
            return conflict(str(error))
        case QueueClosed():
            return unavailable("The executor is stopping; nothing was changed.")
        case StorageFileNotFoundError():
            return not_found(str(error))
        case InvalidStorageUriError():
            return bad_request(str(error))
        case StorageLimitError():
            return too_large(str(error))
        case StorageError():
            logger.error("The internal storage failed: %s", error)
            return unavailable("The internal storage cannot serve this at the moment.")
        case RepositoryError():
            logger.error("The database refused a statement: %s", error)
            return ApiError(500, "The database refused this; the server's log has the details.")
    return None


def install_error_handlers(app: FastAPI) -> None:
    """Let every error of the application be answered in JSON."""
    for kind in (
        ApiError,
        FlowInvalid,
        FlowNotFound,
        FlowUnreadable,
        RepositoryUnavailable,
        RepositoryError,
        InvalidFilter,
        CommandRefused,
        QueueClosed,
        StorageError,
    ):
        app.add_exception_handler(kind, _known_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    app.add_exception_handler(Exception, _unforeseen)


async def _known_error(request: Request, error: Exception) -> Response:
    translated = translate(error)
    return (
        await _unforeseen(request, error)
        if translated is None
        else error_response(request.url.path, translated)
    )


async def _http_error(request: Request, error: Exception) -> Response:
    """Unknown paths (404) and methods (405)."""
    assert isinstance(error, HTTPException)
    message = {404: "Page Not Found", 405: f"Method {request.method} not allowed here"}.get(
        error.status_code, str(error.detail)
    )
    return error_response(request.url.path, ApiError(error.status_code, message, headers=error.headers))


async def _invalid_request(request: Request, error: Exception) -> Response:
    """Parameters that are missing or of another type, each named."""
    assert isinstance(error, RequestValidationError)
    details = [
        ErrorDetail(str(problem["msg"]), ".".join(str(part) for part in problem["loc"][1:]) or None)
        for problem in error.errors()
    ]
    named = "; ".join(
        f"{detail.path}: {detail.message}" if detail.path else detail.message for detail in details
    )
    return error_response(request.url.path, ApiError(400, f"Bad Request: {named}", details=details))


async def _client_gone(request: Request, error: Exception) -> Response:
    """Nobody reads this answer; it only ends the request."""
    return Response(status_code=499)


async def _unforeseen(request: Request, error: Exception) -> Response:
    reference = new_id()
    logger.error("%s %s failed, reference %s", request.method, request.url.path, reference, exc_info=error)
    message = f"Internal Server Error: the server's log has the details under {reference}."
    return error_response(request.url.path, ApiError(500, message))
