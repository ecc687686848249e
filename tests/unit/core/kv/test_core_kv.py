from __future__ import annotations

from datetime import timedelta

import pytest

from windhover.core.kv.delete import Delete
from windhover.core.kv.get import Get
from windhover.core.kv.get_keys import GetKeys
from windhover.core.kv.purge_kv import PurgeKV
from windhover.core.kv.put import Put
from windhover.core.kv.set import Set
from windhover.model.kv import kv_value
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.worker.inline import InlineWorker


@pytest.mark.parametrize(
    ("properties", "value"),
    [
        ({"value": "some text"}, "some text"),
        ({"value": "{{ 40 + 2 }}"}, 42),
        ({"value": "{{ inputs.m }}"}, {"a": [1, 2]}),
        ({"value": '{"a": 1}'}, '{"a": 1}'),
        ({"value": '{"a": 1}', "kvType": "JSON"}, {"a": 1}),
        ({"value": "{{ 5 }}", "kvType": "STRING"}, "5"),
        ({"value": "PT1M"}, 60.0),
        ({"value": 5}, "5"),
        ({"value": True}, "true"),
        ({"value": [1, "{{ 1 + 1 }}"]}, '[1,"2"]'),
        ({"value": {"a": "{{ 'b' }}"}, "kvType": "JSON"}, {"a": "b"}),
    ],
)
async def test_a_value_keeps_the_type_of_its_expression(
    worker: InlineWorker, properties: dict[str, object], value: object
) -> None:
    done = await worker.run(Set, {"key": "k", **properties}, {"inputs": {"m": {"a": [1, 2]}}})
    assert done.state is StateType.SUCCESS
    assert done.outputs == {}
    assert (await worker.run(Get, {"key": "k"})).outputs == {"value": value}


@pytest.mark.parametrize(("task", "properties"), [(Set, {}), (Set, {"kvType": "NUMBER"}), (Put, {})])
async def test_an_expression_without_a_value_stores_null(
    worker: InlineWorker, task: type[Set | Put], properties: dict[str, object]
) -> None:
    done = await worker.run(task, {"key": "k", "value": "{{ null }}", **properties})
    assert done.state is StateType.SUCCESS
    entry = await worker.server.kv.get("company.team", "k")
    assert entry is not None
    assert entry.content.value is None


async def test_an_entry_is_not_overwritten_where_it_must_not(worker: InlineWorker) -> None:
    await worker.run(Set, {"key": "text", "value": "a"})
    again = await worker.run(Set, {"key": "text", "value": "b", "overwrite": False})
    assert again.at(LogLevel.ERROR) == [
        "Cannot set value for key 'text'. Key already exists and `overwrite` is set to `false`."
    ]


async def test_a_time_to_live_ends_an_entry(worker: InlineWorker) -> None:
    await worker.run(Set, {"key": "k", "value": "a", "ttl": "PT1H", "kvDescription": "d"})
    entry = await worker.server.kv.get("company.team", "k")
    assert entry is not None
    assert entry.expires is not None
    assert abs(entry.expires - entry.updated - timedelta(hours=1)) < timedelta(seconds=5)
    assert entry.description == "d"
    await worker.run(Set, {"key": "k", "value": "a", "ttl": "{{ null }}"})
    endless = await worker.server.kv.get("company.team", "k")
    assert endless is not None
    assert endless.expires is None
    negative = await worker.run(Set, {"key": "k", "value": "a", "ttl": "-PT1M"})
    assert negative.at(LogLevel.ERROR) == ["`ttl` cannot be negative"]


async def test_missing_entries(worker: InlineWorker) -> None:
    words = "No value found for key 'k' in namespace 'company.team' and `errorOnMissing` is set to true"
    assert (await worker.run(Get, {"key": "k"})).outputs == {}
    assert (await worker.run(Delete, {"key": "k"})).outputs == {"deleted": False}
    for task in (Get, Delete, Put):
        value = {"value": "x"} if task is Put else {}
        run = await worker.run(task, {"key": "k", "errorOnMissing": True, **value})
        assert run.at(LogLevel.ERROR) == [words]


async def test_namespaces_around_are_read_but_unknown_ones_refused(worker: InlineWorker) -> None:
    await worker.run(Set, {"key": "outer", "value": "from parent", "namespace": "company"})
    assert (await worker.run(Get, {"key": "outer"})).outputs == {"value": "from parent"}
    for task, more in ((Set, {"value": "x"}), (Get, {}), (GetKeys, {})):
        key = {} if task is GetKeys else {"key": "k"}
        run = await worker.run(task, {"namespace": "compnay.team", **key, **more})
        assert run.at(LogLevel.ERROR) == [
            "Cannot access the KV store. The namespace 'compnay.team' does not exist."
        ]


async def test_keys_by_prefix(worker: InlineWorker) -> None:
    for key in ("a.2", "a.1", "b"):
        await worker.run(Set, {"key": key, "value": "x"})
    assert (await worker.run(GetKeys, {"prefix": "a."})).outputs == {"keys": ["a.1", "a.2"]}
    assert (await worker.run(GetKeys, {})).outputs == {"keys": ["a.1", "a.2", "b"]}


async def test_what_can_be_no_key_is_never_merely_missing(worker: InlineWorker) -> None:
    for task, more in ((Set, {"value": "x"}), (Get, {}), (Delete, {}), (Put, {"value": "x"})):
        bad = await worker.run(task, {"key": "a b", **more})
        assert bad.at(LogLevel.ERROR)[0].startswith("Key must start with an alphanumeric character")
        empty = await worker.run(task, {"key": "{{ null }}", **more})
        assert empty.at(LogLevel.ERROR) == ["Key cannot be null or empty"]


async def test_put_merges_maps_and_sets_members(worker: InlineWorker) -> None:
    await worker.server.kv.put("company.team", "k", kv_value({"a": 1}), description="kept")
    await worker.run(Put, {"key": "k", "value": {"b": {"c": "{{ 1 + 1 }}"}}})
    await worker.run(Put, {"key": "k", "value": "{{ [{'key': 'b.d.e', 'value': 7}] }}"})
    assert (await worker.run(Get, {"key": "k"})).outputs == {"value": {"a": 1, "b": {"c": 2, "d": {"e": 7}}}}
    entry = await worker.server.kv.get("company.team", "k")
    assert entry is not None
    assert entry.description == "kept"
    await worker.run(Put, {"key": "k", "value": "plain"})
    refused = await worker.run(Put, {"key": "k", "value": [{"key": "a", "value": 1}]})
    assert refused.at(LogLevel.ERROR) == ["The value of key 'k' is no map, so `a` cannot be set in it"]


async def test_purging_keys_and_versions(worker: InlineWorker) -> None:
    for number in range(3):
        await worker.run(Set, {"key": "k", "value": str(number)})
        await worker.run(Set, {"key": "old", "value": str(number)})
    old = {"keyPattern": "o*", "behavior": {"type": "key", "expiredOnly": False}}
    assert (await worker.run(PurgeKV, old)).outputs == {"size": 3}, "each version counts"
    await worker.run(Set, {"key": "tmp_1", "value": "x"})
    versions = {"behavior": {"type": "version", "keepAmount": 1}, "namespaces": ["company"]}
    assert (await worker.run(PurgeKV, versions)).outputs == {"size": 2}
    assert (await worker.run(PurgeKV, {**versions, "includeChildNamespaces": False})).outputs == {"size": 0}
    assert (await worker.run(PurgeKV, {})).outputs == {"size": 0}
    keys = {"keyPattern": "tmp_*", "namespacePattern": "comp*", "behavior": {"expiredOnly": False}}
    assert (await worker.run(PurgeKV, keys)).outputs == {"size": 1}
    assert await worker.server.kv.keys("company.team") == ["k"]
    above = {"namespacePattern": "company", "behavior": {"type": "key", "expiredOnly": False}}
    assert (await worker.run(PurgeKV, above)).outputs == {"size": 0}, "what is below does not match"
    every = await worker.run(PurgeKV, {"behavior": {"type": "key", "expiredOnly": False}})
    assert every.outputs == {"size": 1}
    assert (
        await worker.run(PurgeKV, {"behavior": {"type": "version", "keepAmount": -1}})
    ).state is StateType.FAILED
    misspelt = await worker.run(PurgeKV, {"namespaces": ["compnay"]})
    assert misspelt.at(LogLevel.ERROR) == [
        "Cannot access the KV store. The namespace 'compnay' does not exist."
    ]
    both = await worker.run(PurgeKV, {"namespaces": ["a"], "namespacePattern": "b"})
    assert both.state is StateType.FAILED
