"""The page, the classes and the vocabulary say the same."""

from pathlib import Path

import pytest

from windhover.config import load
from windhover.config.documentation import render_page
from windhover.config.loading import setting_keys
from windhover.config.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page == render_page(page), "run: python -m windhover.config.documentation docs/configuration.md"


def test_every_setting_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")

    missing = [
        key for key in setting_keys(Settings) if f"`{key.removesuffix('.**')}" not in page and "[]" not in key
    ]
    assert missing == []


DOCUMENTED = """
kestra.queue.postgres.disable-seq-scan  kestra.jdbc.queues.poll-size  kestra.jdbc.queues.min-poll-interval
kestra.jdbc.queues.max-poll-interval  kestra.jdbc.queues.poll-switch-interval
kestra.jdbc.queues.message-protection.enabled  kestra.jdbc.queues.message-protection.limit
kestra.jdbc.cleaner.initial-delay  kestra.jdbc.cleaner.fixed-delay  kestra.jdbc.cleaner.retention
kestra.jdbc.executor.thread-count  kestra.elasticsearch.client.http-hosts
kestra.elasticsearch.client.basic-auth.username  kestra.kafka.defaults.topic.partitions
kestra.kafka.message-protection.limit  kestra.indexer.batch-size  kestra.indexer.batch-duration
kestra.storage.isolation.enabled  kestra.storage.isolation.denied-services  kestra.storage.s3.sts-role-arn
kestra.storage.minio.part-size  kestra.storage.minio.vhost  kestra.storage.seaweedfs.filer-host
kestra.storage.azure.sas-token  kestra.storage.gcs.project-id  kestra.storage.cloudflare.accessKeyId
kestra.heartbeat.frequency  kestra.heartbeat.heartbeat-missed  kestra.server.terminationGracePeriod
kestra.server.terminateGracePeriod  kestra.server.service.purge.retention  kestra.server.preview.max-rows
kestra.security.super-admin.username  kestra.security.default-role.name
kestra.security.invitations.expire-after  kestra.security.invitation.expireAfter
kestra.security.login.failed-attempts.lock-duration  kestra.configurations.delete-files-on-start
kestra.plugins.repositories.central.url  kestra.plugins.repositories.x.basic-auth.password
kestra.plugins.security.includes  kestra.plugins.management.default-version  kestra.retries.max-delay
kestra.tasks.defaults  kestra.system-flows.namespace  kestra.tutorial-flows.enabled
kestra.templates.enabled  micronaut.io.watch.paths  kestra.local-files.enable-preview
kestra.kv.purge-expired.batch-size  kestra.variables.cache-size  kestra.hidden-labels.prefixes
tasks.sdk.authentication.token  kestra.anonymous-usage-report.fixed-delay
kestra.ui-anonymous-usage-report.enabled  logger.levels.execution  kestra.metrics.labels
kestra.traces.categories.io  micronaut.otel.enabled  otel.traces.exporter  otel.exclusions
micronaut.metrics.export.otlp.url  micronaut.server.netty.max-header-size  micronaut.ssl.enabled
micronaut.security.x509.enabled  micronaut.http.services.api.url  micronaut.http.client.proxy-address
endpoints.all.basic-auth.password  endpoints.health.details-visible  kestra.webserver.html-head
kestra.webserver.google-analytics  kestra.secret.cache.maximum-size  kestra.secret.vault.root-engine
kestra.secret.azure-key-vault.client-secret.tenant-id  kestra.secret.jdbc.tags.application
kestra.secret.doppler.token  kestra.ai.type  kestra.ee.license.id  kestra.ee.java-security.enabled
kestra.ee.airgapped  kestra.ee.mail-service.port  flyway.datasources.postgres.enabled
datasources.postgres.leak-detection-threshold  datasources.postgres.connection-init-sql
datasources.mysql.dialect  datasources.h2.driverClassName  datasources.postgres.schema
"""


@pytest.mark.parametrize("key", DOCUMENTED.split())
def test_a_documented_key_is_known(key: str) -> None:
    assert load([], {}, {key: None}, strict=True).warnings == ()
