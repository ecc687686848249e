"""The web server: Kestra's REST API, and the management port beside it.

app = create_app(WebServices(database, definitions, queue, storage, settings))
"""

from windhover.webserver.app import create_app
from windhover.webserver.management import create_management_app
from windhover.webserver.services import WebServices

__all__ = ["WebServices", "create_app", "create_management_app"]
