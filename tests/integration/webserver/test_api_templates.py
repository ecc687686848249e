"""Templates over the API, and flows that take them in."""

from __future__ import annotations

from tests.integration.webserver.server import Server

TEMPLATES = "/api/v1/main/templates"
TEMPLATE = """
id: greeting
namespace: company.shared
tasks:
  - id: greet
    type: io.kestra.plugin.core.debug.Return
    format: "{{ parent.outputs.args.greeting }}, {{ taskrun.id is defined }}"
"""
FLOW = """
id: hello
namespace: company.team
tasks:
  - id: take
    type: io.kestra.core.tasks.flows.Template
    namespace: company.shared
    templateId: greeting
    args:
      greeting: "Hello {{ flow.id }}"
outputs:
  - {id: said, type: STRING, value: "{{ outputs.greet.value }}"}
"""


async def test_a_template_from_its_creation_to_its_end(server: Server) -> None:
    client = server.client
    created = await client.post(TEMPLATES, content=TEMPLATE)
    assert created.status_code == 200, created.text
    assert (created.json()["id"], created.json()["tasks"][0]["id"]) == ("greeting", "greet")
    assert (await client.post(TEMPLATES, content=TEMPLATE)).status_code == 422
    await server.services.definitions.load()
    assert (await client.get(f"{TEMPLATES}/company.shared/greeting")).json() == created.json()
    assert (await client.get(f"{TEMPLATES}/search", params={"q": "GREET"})).json()["total"] == 1
    assert (await client.get(f"{TEMPLATES}/search", params={"namespace": "comp"})).json()["total"] == 0
    assert (await client.get(f"{TEMPLATES}/distinct-namespaces")).json() == ["company.shared"]
    path = f"{TEMPLATES}/company.shared/greeting"
    assert (await client.put(path, content=TEMPLATE.replace("greeting\n", "x\n"))).status_code == 422
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404
    assert (await client.put(path, content=TEMPLATE)).status_code == 404


async def test_several_are_deleted_by_their_ids(local_server: Server) -> None:
    client = local_server.client
    await client.post(TEMPLATES, content=TEMPLATE)
    ids = [{"namespace": "company.shared", "id": "greeting"}, {"namespace": "n", "id": "none"}]
    assert (await client.request("DELETE", f"{TEMPLATES}/delete/by-ids", json=ids)).json() == {"count": 1}


async def test_a_flow_runs_the_tasks_of_a_template_as_it_is_now(server: Server) -> None:
    client = server.client
    await client.post(TEMPLATES, content=TEMPLATE)
    flow = await server.create_flow(FLOW)
    assert "tasks" not in flow["tasks"][0]
    execution = await server.execute("hello")
    assert execution["outputs"]["said"] == "Hello hello, true"
    take = execution["taskRunList"][0]
    assert (take["taskId"], take["outputs"]) == ("take", {"args": {"greeting": "Hello hello"}})
    assert execution["taskRunList"][1]["parentTaskRunId"] == take["id"]
    await client.put(f"{TEMPLATES}/company.shared/greeting", content=TEMPLATE.replace("}}, {{", "}}! {{"))
    assert (await server.execute("hello"))["outputs"]["said"] == "Hello hello! true"
    await client.delete(f"{TEMPLATES}/company.shared/greeting")
    ended = await server.execute("hello")
    assert ended["state"]["current"] == "FAILED"
    logs = await client.get(f"/api/v1/main/logs/{ended['id']}")
    assert "Can't find flow template 'company.shared.greeting'" in logs.text


async def test_what_is_said_when_a_flow_is_checked(local_server: Server) -> None:
    client = local_server.client
    checked = (await client.post("/api/v1/main/flows/validate", content=FLOW)).json()[0]
    assert "The template 'greeting' not found in namespace 'company.shared'." in checked["warnings"]
    assert checked["deprecationPaths"] == ["tasks[0]"]
    twice = TEMPLATE.replace("id: greet\n", "id: take\n")
    await client.post(TEMPLATES, content=twice)
    checked = (await client.post("/api/v1/main/flows/validate", content=FLOW)).json()[0]
    assert "Duplicate task id with name [take]" in checked["constraints"]


async def test_templates_take_in_templates_but_not_themselves(local_server: Server) -> None:
    client = local_server.client
    outer = FLOW.replace("id: hello", "id: outer").split("outputs:")[0]
    await client.post(TEMPLATES, content=TEMPLATE)
    assert (await client.post(TEMPLATES, content=outer)).status_code == 200
    flow = (
        FLOW.replace("company.shared", "company.team")
        .replace("greeting\n", "outer\n")
        .replace("take", "first")
    )
    await local_server.create_flow(flow)
    assert (await local_server.execute("hello"))["outputs"]["said"] == "Hello hello, true"
    itself = outer.replace("company.shared", "company.team").replace("greeting\n", "outer\n")
    await client.delete(f"{TEMPLATES}/company.team/outer")
    answer = await client.post(TEMPLATES, content=itself)
    assert answer.status_code == 422, answer.text
    assert "takes in itself" in answer.text


async def test_what_is_no_template_is_refused(local_server: Server) -> None:
    client = local_server.client
    for source, words in (
        (TEMPLATE + "triggers: []\n", "A template has no `triggers`"),
        (TEMPLATE.replace("format", "formt"), 'Unrecognized field "formt"'),
        ("tasks: 1", "tasks"),
    ):
        answer = await client.post(TEMPLATES, content=source)
        assert answer.status_code == 422
        assert words in answer.json()["message"]
        checked = (await client.post(f"{TEMPLATES}/validate", content=source)).json()
        assert words in checked[0]["constraints"]
    assert "constraints" not in (await client.post(f"{TEMPLATES}/validate", content=TEMPLATE)).json()[0]
