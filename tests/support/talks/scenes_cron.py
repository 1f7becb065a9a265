# ruff: noqa: E501 - a command reads as a person would type it, in one line
"""Work that ends: CronJobs, Jobs with their limits, and what the server says to wrong ones."""

from __future__ import annotations

from talks.script import Scene, do, say

_CRON = """
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 1 1 *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: "nginx:1.27"}]}}}}
"""


def _cron(change: str, *, was: str = 'schedule: "0 3 1 1 *"') -> str:
    return _CRON.replace(was, change).replace("nightly", "bad")


CRON = Scene(
    name="talk-cron",
    lines=(
        say("cron-create", "create cronjob tick --image=nginx:1.27 --schedule='0 4 1 1 *' -- sleep 5"),
        say("cron-apply", "apply -f -", stdin=_CRON),
        say("cron-get", "get cronjobs"),
        say("cron-wide", "get cj -o wide"),
        say("cron-describe", "describe cronjob tick"),
        say("cron-yaml", "get cronjob tick -o yaml"),
        say("cron-suspend", 'patch cronjob tick -p \'{"spec":{"suspend":true}}\''),
        say("cron-get-suspended", "get cronjob tick"),
        say("cron-job-from", "create job byhand --from=cronjob/tick"),
        say(
            "cron-job-owner",
            "get job byhand -o jsonpath='{.metadata.annotations} {.metadata.ownerReferences[0].kind} {.metadata.ownerReferences[0].controller}'",
        ),
        say("cron-bad-schedule", "create -f -", stdin=_cron('schedule: "0 3 1"')),
        say("cron-bad-range", "create -f -", stdin=_cron('schedule: "61 3 1 1 *"')),
        say("cron-bad-word", "create -f -", stdin=_cron("schedule: every minute")),
        say("cron-bad-month", "create -f -", stdin=_cron('schedule: "0 0 1 foo *"')),
        say("cron-bad-step", "create -f -", stdin=_cron('schedule: "*/0 0 1 * *"')),
        say("cron-bad-descriptor", "create -f -", stdin=_cron('schedule: "@often"')),
        say("cron-no-schedule", "create -f -", stdin=_cron("suspend: false")),
        say("cron-bad-zone", "create -f -", stdin=_cron('schedule: "0 3 1 1 *"\n  timeZone: Mars/Olympus')),
        say("cron-local-zone", "create -f -", stdin=_cron('schedule: "0 3 1 1 *"\n  timeZone: Local')),
        say("cron-tz-prefix", "create -f -", stdin=_cron('schedule: "TZ=UTC 0 3 1 1 *"')),
        say("cron-bad-policy", "create -f -", stdin=_cron('schedule: "0 3 1 1 *"\n  concurrencyPolicy: Sometimes')),
        say("cron-bad-history", "create -f -", stdin=_cron('schedule: "0 3 1 1 *"\n  successfulJobsHistoryLimit: -1')),
        say("cron-bad-deadline", "create -f -", stdin=_cron('schedule: "0 3 1 1 *"\n  startingDeadlineSeconds: -1')),
        say("cron-bad-restart", "create -f -", stdin=_cron("restartPolicy: Always", was="restartPolicy: Never")),
        say(
            "cron-no-container",
            "create -f -",
            stdin=_cron("containers: []", was='containers: [{name: main, image: "nginx:1.27"}]'),
        ),
        say("cron-bad-name", "create -f -", stdin=_CRON.replace("nightly", "n" * 60)),
        say("cron-yearly", "create -f -", stdin=_CRON.replace("nightly", "yearly").replace("0 3 1 1 *", "@yearly")),
        say(
            "cron-zone",
            "create -f -",
            stdin=_CRON.replace("nightly", "zone").replace('"0 3 1 1 *"', '"0 3 1 1 *"\n  timeZone: Europe/Berlin'),
        ),
        say("cron-get-zone", "get cronjob zone"),
        say("cron-explain", "explain cronjob.spec"),
        say("cron-delete", "delete cronjob tick"),
    ),
)


def _job(spec: str = "", *, name: str = "bad", restart: str = "Never") -> str:
    return f"apiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}}}\nspec: {{{spec}template: {{spec: {{restartPolicy: {restart}, containers: [{{name: main, image: 'nginx:1.27'}}]}}}}}}\n"


JOBS = Scene(
    name="talk-job",
    lines=(
        do("create -f -", stdin=_job("suspend: true, completions: 3, parallelism: 2, ", name="waits")),
        do("get job waits -o jsonpath='{.status.conditions[0].type}'", until="Suspended"),
        say("job-get", "get jobs"),
        say("job-describe", "describe job waits"),
        say("job-status", "get job waits -o jsonpath='{.status}'"),
        say("job-resize-suspended", 'patch job waits -p \'{"spec":{"parallelism":3}}\''),
        say("job-completions-fixed", 'patch job waits -p \'{"spec":{"completions":4}}\''),
        say(
            "job-template-fixed",
            'patch job waits --type=json -p \'[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"nginx:1.28"}]\'',
        ),
        say("job-selector-fixed", 'patch job waits -p \'{"spec":{"selector":{"matchLabels":{"a":"b"}}}}\''),
        say("job-bad-completions", "create -f -", stdin=_job("completions: -1, ")),
        say("job-bad-parallelism", "create -f -", stdin=_job("parallelism: -1, ")),
        say("job-bad-backoff", "create -f -", stdin=_job("backoffLimit: -1, ")),
        say("job-bad-deadline", "create -f -", stdin=_job("activeDeadlineSeconds: -1, ")),
        say("job-bad-ttl", "create -f -", stdin=_job("ttlSecondsAfterFinished: -1, ")),
        say("job-bad-restart", "create -f -", stdin=_job(restart="Always")),
        say("job-bad-mode", "create -f -", stdin=_job("completionMode: Odd, ")),
        say("job-bad-indexed", "create -f -", stdin=_job("completionMode: Indexed, ")),
        say(
            "job-indexed",
            "create -f -",
            stdin=_job("completionMode: Indexed, completions: 2, suspend: true, ", name="indexed"),
        ),
        say(
            "job-get-indexed",
            "get job indexed -o jsonpath='{.spec.completionMode} {.spec.backoffLimit} {.spec.parallelism}'",
        ),
        say(
            "job-create",
            "create job run --image=nginx:1.27 --dry-run=server -o jsonpath='{.spec.template.spec.restartPolicy} {.spec.suspend}'",
        ),
    ),
)
SCENES = (CRON, JOBS)
