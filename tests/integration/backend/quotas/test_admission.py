"""What an organization has no room for is refused or left out, and leaves nothing behind."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from docfleet.backend.executions import ticker as ticker_module
from docfleet.backend.quotas import admission, repository
from tests.integration.backend.quotas.organization import begin, executions, files_used, limit, next_day, used
from tests.integration.backend.schedules.scheduled import TICK, Scheduled, tick


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has read what is used decides a moment later: without a lock, others read the same in between."""
    use = repository.use

    def slowly(*args: Any) -> Any:
        found = use(*args)
        time.sleep(0.2)
        return found

    monkeypatch.setattr(repository, "use", slowly)


def test_no_more_executions_are_open_at_once(api: Any) -> None:
    limit(api, concurrent_executions=2)
    workflow = api.workflow()
    first, _ = api.run(workflow), api.run(workflow)
    problem = begin(api, workflow, status=429)
    assert (problem["code"], problem["quota"], problem["used"], problem["limit"]) == (
        *("quota_exceeded", "concurrent_executions"),
        *(2, 2),
    )
    assert "MAX_CONCURRENT_EXECUTIONS" in problem["detail"] and api.last.headers["Retry-After"] == "5"
    assert executions(api) == 2 and len(api.recorder.sent) == 2
    api.other().run(), first.finalize(empty_reason="no_match")
    begin(api, workflow)


def test_a_refused_key_can_be_used_again(api: Any) -> None:
    limit(api, concurrent_executions=1)
    workflow = api.workflow()
    run = api.run(workflow)
    begin(api, workflow, status=429, Idempotency_Key="k")
    run.finalize(empty_reason="no_match")
    new = begin(api, workflow, Idempotency_Key="k")["execution_id"]
    assert begin(api, workflow, status=200, Idempotency_Key="k")["execution_id"] == new, "a repeat is no new execution"


def test_a_run_is_refused_once_the_files_or_pages_of_the_day_are_used_up(api: Any) -> None:
    limit(api, files_per_day=3, pages_per_day=10)
    workflow = api.workflow()
    run = api.run(workflow).ready(2)
    claims = run.take()
    run.report(outcomes=[api.outcome(claims[0], pages=9)])
    begin(api, workflow)
    run.report(outcomes=[api.outcome(claims[1], pages=1)])
    problem = begin(api, workflow, status=429)
    assert (problem["quota"], problem["used"], problem["limit"]) == ("pages_per_day", 10, 10)
    assert 0 < int(api.last.headers["Retry-After"]) <= 86_400
    limit(api, pages_per_day=None)
    api.run(workflow).register(api.documents(1, "b/"))
    problem = begin(api, workflow, status=429)
    assert (problem["quota"], problem["used"], problem["limit"]) == ("files_per_day", 3, 3)
    assert "3 of its 3 files a day" in problem["detail"] and "MAX_FILES_PER_DAY" in problem["detail"]
    next_day(api)
    begin(api, workflow)


def test_a_listing_longer_than_what_is_left_is_cut_and_the_next_run_takes_the_rest(api: Any) -> None:
    limit(api, files_per_day=3)
    workflow = api.workflow()
    run = api.run(workflow)
    assert run.register(api.documents(2)) == {"registered": 2, "total_files": 2}
    rejected = {"file_name": "bad", "file_path": "bad", "rejection": "size is missing"}
    page = [*api.documents(1), *api.documents(3, "b/"), rejected]
    answer = run.register(page, page=2)
    assert answer == {"registered": 2, "total_files": 4, "skipped": {"duplicate": 1, "over_quota": 2}}
    assert run.register(page, page=2) == answer
    shifted = run.register([*page, {"file_name": "c.pdf", "file_path": "c.pdf"}], page=2)
    assert shifted == {"registered": 0, "total_files": 4, "skipped": {"over_quota": 3}}
    assert run.state()["skipped"] == {"over_quota": 3}
    assert files_used(api) == 3, "what is rejected takes no place"
    run.start()
    run.report(run.take())
    next_day(api)
    again = api.run(workflow)
    answer = again.register([*api.documents(2), *api.documents(3, "b/")])
    assert answer == {"registered": 2, "total_files": 2, "skipped": {"already_processed": 3}}
    assert [file["path"] for file in again.files()] == ["b/f2.pdf", "b/f3.pdf"]


def test_once_the_pages_are_used_up_what_is_registered_is_finished_and_no_more_is_registered(api: Any) -> None:
    limit(api, pages_per_day=5)
    workflow = api.workflow()
    late, run = api.run(workflow), api.run(workflow).ready(2)
    first, second = run.take()
    run.report(outcomes=[api.outcome(first, pages=9)])
    late.register([*api.documents(2), *api.documents(1, "x/")])
    assert late.state()["skipped"] == {"active_elsewhere": 1, "already_processed": 1, "over_quota": 1}
    run.report(outcomes=[api.outcome(second, pages=1)])
    assert run.status == "COMPLETED" and used(api)["pages_per_day"] == 10


def test_a_call_is_refused_when_its_files_do_not_fit(api: Any) -> None:
    limit(api, files_per_day=3)
    invoices = api.publish()
    run = invoices.call(("a.txt", b"1"), ("b.txt", b"2"))
    answer = invoices.post(("c.txt", b"3"), ("d.txt", b"4"), status=429)
    assert answer["errors"][0]["code"] == "quota_exceeded"
    assert "take at most 1 today" in answer["errors"][0]["detail"]
    assert 0 < int(invoices.last.headers["Retry-After"]) <= 86_400
    problem = invoices.post(("c.txt", b"3"), ("d.txt", b"4"), query="?compat=false", status=429)
    assert (problem["quota"], problem["used"], problem["limit"]) == ("files_per_day", 2, 3)
    assert executions(api) == 1 and len(api.recorder.sent) == 1
    assert len([path for path in (api.folder / "storage").rglob("*") if path.is_file()]) == 2, "uploads were kept"
    invoices.call(("c.txt", b"3"), ("same.txt", b"3"))
    invoices.work(run)
    assert files_used(api) == 3
    assert invoices.post(status=429)["errors"][0]["code"] == "quota_exceeded", "refused before its body is read"


def test_a_call_that_no_day_has_room_for_is_not_told_to_wait(api: Any) -> None:
    limit(api, files_per_day=2)
    invoices = api.publish()
    answer = invoices.post(("a.txt", b"1"), ("b.txt", b"2"), ("c.txt", b"3"), status=429)
    assert "take at most 2 at once" in answer["errors"][0]["detail"] and "Retry-After" not in invoices.last.headers


def test_an_admitted_call_is_processed_whatever_happens_meanwhile(api: Any) -> None:
    limit(api, files_per_day=2, pages_per_day=1)
    invoices, workflow = api.publish(), api.workflow()
    run, call = api.run(workflow), invoices.call(("a.txt", b"1"))
    assert run.register(api.documents(3))["skipped"] == {"over_quota": 2}, "one place is the call's"
    run.start()
    run.report(outcomes=[api.outcome(claim, pages=9) for claim in run.take()])
    limit(api, files_per_day=1)
    invoices.work(call)
    assert call.status == "COMPLETED" and files_used(api) == 2


def test_a_retry_is_refused_when_its_files_do_not_fit(api: Any) -> None:
    limit(api, files_per_day=3)
    run = api.run().ready(2)
    run.report(run.take(), "ERROR")
    problem = api.post(f"/api/v1/executions/{run.id}/retry", status=429, Idempotency_Key="k")
    assert (problem["quota"], problem["used"], problem["limit"]) == ("files_per_day", 2, 3)
    assert executions(api) == 1 and run.state()["retries"] == []
    next_day(api)
    api.post(f"/api/v1/executions/{run.id}/retry", status=201, Idempotency_Key="k")


def test_a_file_registered_alone_is_refused(api: Any) -> None:
    limit(api, files_per_day=1)
    run = api.run()

    def register(name: str, status: int) -> Any:
        file = {"file_name": name, "file_path": name}
        body = {"execution_id": run.id, "file_hash": file}
        return api.post("/internal/v1/file-execution/", body, status=status)

    register("a.pdf", 201)
    register("a.pdf", 201)
    assert register("b.pdf", 429)["quota"] == "files_per_day"
    assert len(run.files()) == 1 and files_used(api) == 1


def test_files_that_a_batch_of_another_orchestrator_adds_are_counted_and_left_out(api: Any) -> None:
    limit(api, files_per_day=2)
    workflow = api.workflow()
    run = api.run(workflow)
    rejected = {"file_name": "bad", "file_path": "bad", "rejection": "size is missing"}
    body = {"workflow_id": workflow, "files": [*api.documents(3), rejected]}
    answer = api.post(f"{run.path}/files/add/", body)
    assert answer["skipped"] == {"over_quota": 1} == run.state()["skipped"]
    assert [bool(file_id) for file_id in answer["file_execution_ids"]] == [True, True, False, True]
    assert files_used(api) == 2


def test_a_repeated_call_is_answered_also_when_nothing_is_left(api: Any) -> None:
    limit(api, files_per_day=1)
    invoices = api.publish()

    def call(name: str, status: int) -> Any:
        headers = {"Authorization": f"Bearer {invoices.key}", "Idempotency-Key": name}
        answer = api.client.post(invoices.path, files=[("files", (f"{name}.txt", name.encode()))], headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    first = call("a", 200)["message"]["execution_id"]
    call("b", 429)
    assert call("a", 200)["message"]["execution_id"] == first
    next_day(api)
    api.post(f"/api/v1/executions/{first}/stop")
    call("b", 200)


def test_the_key_of_a_pipeline_is_refused_too(api: Any) -> None:
    limit(api, concurrent_executions=1)
    workflow = api.workflow()
    pipeline = api.put("/api/v1/pipelines", {"name": "nightly", "workflow": "invoices"})["pipeline_id"]
    key = api.key("pipeline", "nightly")
    api.run(workflow)
    answer = api.client.post(
        f"/deployment/pipeline/api/{api.organization}/{pipeline}/", headers={"Authorization": f"Bearer {key}"}
    )
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "5"
    assert api.get(f"/api/v1/pipelines/{pipeline}")["last_run_status"] is None
    assert executions(api) == 1


def test_a_tick_is_refused_with_its_cause_and_the_next_one_runs(fresh_api: Any) -> None:
    limit(fresh_api, concurrent_executions=1)
    pipeline = Scheduled(fresh_api)
    open_one = fresh_api.run()
    pipeline.due(130)
    assert tick(fresh_api) == {"refused": 1}
    (refused,) = fresh_api.get(f"{pipeline.path}/ticks")["ticks"]
    assert "MAX_CONCURRENT_EXECUTIONS" in refused["detail"] and refused["execution_id"] is None
    assert pipeline.runs == []
    open_one.finalize(empty_reason="no_match")
    pipeline.due(10)
    assert tick(fresh_api) == {"fired": 1}
    assert pipeline.outcomes == ["refused", "fired"]


def test_a_pipeline_without_room_takes_no_other_with_it(fresh_api: Any) -> None:
    full, other = Scheduled(fresh_api), Scheduled(fresh_api.other())
    limit(fresh_api, concurrent_executions=1)
    fresh_api.run()
    full.due(), other.due()
    assert tick(fresh_api) == {"refused": 1, "fired": 1}
    assert (len(full.runs), len(other.runs)) == (0, 1)


def test_schedulers_at_once_do_not_wait_for_each_other(fresh_api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two schedulers has pipelines of the same two organizations, due in opposite order."""
    monkeypatch.setattr(ticker_module, "PIPELINES_PER_TRANSACTION", 2)
    one, other = sorted((fresh_api, fresh_api.other()), key=lambda api: str(api.organization))
    for api in (one, other):
        limit(api, concurrent_executions=10)
    order = [Scheduled(one, "a"), Scheduled(other, "b"), Scheduled(other, "c"), Scheduled(one, "d")]
    for position, pipeline in enumerate(order):
        pipeline.due(600 - 60 * position)
    both = threading.Barrier(2)
    admit = admission.admit

    tried = []

    def slowly(*args: Any) -> None:
        tried.append(args)
        admit(*args)
        with suppress(threading.BrokenBarrierError):
            both.wait(1.0)  # both have locked their first organization

    monkeypatch.setattr(admission, "admit", slowly)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: fresh_api.post(TICK), range(2)))
    assert sum(answer["fired"] for answer in answers) == 4 and not any(answer["refused"] for answer in answers)
    assert [pipeline.outcomes for pipeline in order] == [["fired"]] * 4
    assert not any(answer["failed"] for answer in answers)
    assert len(tried) == 4, "a deadlock made a scheduler begin again"


@pytest.mark.usefixtures("slow")
def test_two_creations_do_not_both_get_the_last_execution(api: Any) -> None:
    limit(api, concurrent_executions=1)
    workflow = api.workflow()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: begin(api, workflow, status=None), range(4)))
    assert executions(api) == 1 and len(api.recorder.sent) == 1


@pytest.mark.usefixtures("slow")
def test_two_calls_do_not_both_get_the_last_files(api: Any) -> None:
    limit(api, files_per_day=3)
    invoices = api.publish()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: invoices.post(("a.txt", b"1%d" % n), ("b.txt", b"2%d" % n), status=None), range(4)))
    assert executions(api) == 1 and files_used(api) == 2


@pytest.mark.usefixtures("slow")
def test_two_listings_do_not_both_get_the_last_files(api: Any) -> None:
    limit(api, files_per_day=5)
    runs = [api.run(api.workflow(name=f"w{number}")) for number in range(3)]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda run: run.register(api.documents(2, f"{run.id}/")), runs))
    assert sum(answer["registered"] for answer in answers) == 5 == files_used(api)
    assert sum(answer.get("skipped", {}).get("over_quota", 0) for answer in answers) == 1


def test_a_limit_of_0_is_none_and_the_organizations_wins(limited_api: Any) -> None:
    api = limited_api(max_concurrent_executions=1)
    workflow = api.workflow()
    api.run(workflow)
    begin(api, workflow, status=429)
    limit(api, concurrent_executions=0)
    begin(api, workflow)
    limit(api, concurrent_executions=None)
    begin(api, workflow, status=429)


def test_quotas_are_the_operators_to_set(api: Any) -> None:
    problem = api.put("/api/v1/settings/MAX_FILES_PER_DAY", {"value": 9}, status=400)
    assert "docfleet organizations set" in problem["detail"]
    answer = limit(api, files_per_day=9)
    assert {row["key"]: row["value"] for row in answer["settings"]}["MAX_FILES_PER_DAY"] == 9
    assert answer["settings"] == api.get("/api/v1/settings")["settings"]
    for wrong in ({"MAX_FILES_PER_DAY": 1, "NO_SUCH": 1}, {"MAX_FILES_PER_DAY": 1, "MAX_PAGES_PER_DAY": -1}):
        api.put(f"/api/v1/organizations/{api.organization}/settings", {"settings": wrong}, status=400)
    assert api.get("/api/v1/settings/MAX_FILES_PER_DAY")["value"] == 9, "all of them or none"
    api.put("/api/v1/organizations/nobody/settings", {"settings": {"MAX_FILES_PER_DAY": 1}}, status=404)


def test_a_key_of_the_organization_sees_its_quotas_and_does_not_raise_them(api: Any) -> None:
    limit(api, files_per_day=9)
    for role in ("viewer", "admin"):
        headers = {"Authorization": f"Bearer {api.key('platform', None, role=role)}"}
        assert api.client.get("/api/v1/quotas", headers=headers).json()["quotas"][0]["limit"] == 9
        assert api.client.get("/api/v1/settings", headers=headers).status_code == 200
        path = f"/api/v1/organizations/{api.organization}/settings"
        refused = api.client.put(path, json={"settings": {"MAX_FILES_PER_DAY": 0}}, headers=headers)
        assert refused.status_code == 403, refused.text
        own = api.client.put("/api/v1/settings/MAX_FILES_PER_DAY", json={"value": 0}, headers=headers)
        assert own.status_code in (400, 403)
    assert api.get("/api/v1/settings/MAX_FILES_PER_DAY")["value"] == 9
