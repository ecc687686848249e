"""Facts about this instance, and logging in to it."""

from __future__ import annotations

import uuid

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from windhover import __version__
from windhover.webserver.authentication import COOKIE, encode_credentials
from windhover.webserver.bodies import read_json
from windhover.webserver.errors import ApiError, conflict
from windhover.webserver.openapi import answers, answers_nothing, takes
from windhover.webserver.parameters import Services, Tenant
from windhover.webserver.responses import JsonResponse
from windhover.webserver.services import WebServices

router = APIRouter(prefix="/api/v1", tags=["Misc"])

_UUID_SETTING = "instance.uuid"
_MAX_LOGIN_BYTES = 16 * 1024
_CHART_DURATION = "PT24H"
_FLOW_TEMPLATE = """\
id: myflow
namespace: company.team

tasks:
  - id: hello
    type: io.kestra.plugin.core.log.Log
    message: Hello World!
"""


class EnvironmentJson(msgspec.Struct, omit_defaults=True):
    """How this installation is named in the UI."""

    name: str | None = None
    color: str | None = None


class PreviewBoundsJson(msgspec.Struct):
    """Rows of a file that are shown at first and at most."""

    initial: int
    max: int


class ConfigurationJson(msgspec.Struct, rename="camel", omit_defaults=True):
    """What the UI starts from."""

    uuid: str
    version: str
    edition: str
    is_basic_auth_initialized: bool
    is_anonymous_usage_enabled: bool
    is_ui_anonymous_usage_enabled: bool
    is_custom_dashboards_enabled: bool
    is_ai_enabled: bool
    is_concurrency_view_enabled: bool
    chart_default_duration: str
    flow_template: str
    system_namespace: str
    hidden_labels_prefixes: list[str]
    preview: PreviewBoundsJson
    url: str | None = None
    environment: EnvironmentJson | None = None


class LoginConfigurationJson(msgspec.Struct, rename="camel"):
    """Whether there is a user to log in as."""

    is_basic_auth_initialized: bool


class Credentials(msgspec.Struct, omit_defaults=True):
    """A user name, which is an e-mail address, and a password."""

    username: str
    password: str
    uid: str | None = None


@router.get("/configs", responses=answers(ConfigurationJson), operation_id="getConfiguration")
async def configuration(services: Services) -> Response:
    """The facts that the UI starts from."""
    settings = services.settings
    web, preview = settings.web, settings.server.preview
    environment = EnvironmentJson(web.environment_name, web.environment_color)
    return JsonResponse(
        ConfigurationJson(
            uuid=await _instance_uuid(services),
            version=__version__,
            edition="OSS",
            is_basic_auth_initialized=await services.authentication.is_initialized(),
            is_anonymous_usage_enabled=False,
            is_ui_anonymous_usage_enabled=False,
            is_custom_dashboards_enabled=False,
            is_ai_enabled=False,
            is_concurrency_view_enabled=False,
            chart_default_duration=_CHART_DURATION,
            flow_template=_FLOW_TEMPLATE,
            system_namespace=settings.execution.system_namespace,
            hidden_labels_prefixes=list(settings.execution.hidden_label_prefixes),
            preview=PreviewBoundsJson(preview.initial_rows, preview.max_rows),
            url=settings.url,
            environment=environment if environment.name else None,
        )
    )


@router.get("/configs/login", responses=answers(LoginConfigurationJson), operation_id="getLoginConfiguration")
async def login_configuration(services: Services) -> Response:
    """Whether the set-up page or the login page is to be shown."""
    return JsonResponse(LoginConfigurationJson(await services.authentication.is_initialized()))


@router.get(
    "/basicAuthValidationErrors", responses=answers(list[str]), operation_id="getBasicAuthConfigErrors"
)
async def basic_auth_problems(services: Services) -> Response:
    """What is wrong with the configured credentials."""
    return JsonResponse(services.authentication.complaints)


@router.post(
    "/{tenant}/basicAuth",
    status_code=204,
    responses=answers_nothing(),
    operation_id="createBasicAuth",
    openapi_extra=takes("application/json", Credentials),
)
async def set_up_user(request: Request, services: Services, tenant: Tenant) -> Response:
    """Choose the user of this instance, or change it once there is one and it is logged in.

    A user that the configuration names cannot be changed here.
    """
    if services.authentication.is_configured:
        raise conflict("The configuration names the user; change it there.")
    credentials = await read_json(request, Credentials, _MAX_LOGIN_BYTES)
    await services.authentication.choose(credentials.username, credentials.password)
    return _with_cookie(request, credentials)


@router.post(
    "/login",
    status_code=204,
    responses=answers_nothing(),
    operation_id="login",
    openapi_extra=takes("application/json", Credentials),
)
async def login(request: Request, services: Services) -> Response:
    """Check credentials and set the cookie that stands for them."""
    credentials = await read_json(request, Credentials, _MAX_LOGIN_BYTES)
    if not await services.authentication.check(credentials.username, credentials.password):
        raise ApiError(401, "Wrong username or password")
    return _with_cookie(request, credentials)


@router.post("/logout", status_code=204, responses=answers_nothing(), operation_id="logout")
async def logout() -> Response:
    """Drop the cookie."""
    response = Response(status_code=204)
    response.delete_cookie(COOKIE)
    return response


def _with_cookie(request: Request, credentials: Credentials) -> Response:
    response = Response(status_code=204)
    response.set_cookie(
        COOKIE,
        encode_credentials(credentials.username, credentials.password),
        secure=request.url.scheme == "https",
        httponly=True,
        # Requests that other sites make a browser send come without it.
        samesite="strict",
    )
    return response


async def _instance_uuid(services: WebServices) -> str:
    stored = services.instance_settings
    known = await stored.get(_UUID_SETTING)
    if known is None:
        known = await stored.put_if_absent(_UUID_SETTING, str(uuid.uuid4()), services.clock())
    return str(known)
