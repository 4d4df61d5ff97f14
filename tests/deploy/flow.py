"""What senders do and what must become of it, over both endpoints of a deployed stack."""

import concurrent.futures
import itertools
import json
import os
import re
import threading

from report import Failed, eventually, expect
from roles import Role
from sender import RECEIVED, SECRET, event, event_without_time

DUPLICATE = (200, {"status": "duplicate"})
_count = itertools.count(1)


def new_document(word):
    """An id that no other check uses."""
    return f"{word}_{next(_count)}"


def records(stack):
    """The records of the events table by event id."""
    items = stack.items("EventsTableName").values()
    return {item["event_id"]: item for item in items if "event_id" in item}


def document(stack, identity):
    """The row of a document, or None."""
    rows = stack.items("DocumentsTableName").values()
    return next((row for row in rows if row["document_id"] == identity), None)


def finished(stack, sent, outcomes=("applied",)):
    """Waits until an event's record says that it is finished; returns the record."""
    record = eventually(f"{sent['id']} is finished", lambda: _ended(records(stack).get(sent["id"])))
    if record["outcome"] not in outcomes:
        raise Failed(f"{sent['id']} is {record['outcome']}, not {' or '.join(outcomes)}")
    return record


def _ended(record):
    return record if record and record["status"] != "pending" else None


def create_update_delete(stack, sender):
    """A document is created, changed, and ends as a tombstone."""
    identity = new_document("life")
    for second, (operation, name) in enumerate([("created", "Ada"), ("updated", "Eve")]):
        sent = event(operation, identity, second, name=name)
        sender.deliver(sent)
        finished(stack, sent)
        expect(json.loads(document(stack, identity)["document"]), sent["data"]["object"], "the document")
    sent = event("deleted", identity, 2)
    sender.deliver(sent)
    finished(stack, sent)
    row = document(stack, identity)
    expect((row["deleted"], "document" in row, "expires_at" in row), (True, False, True), "the tombstone")


def duplicate(stack, sender):
    """A repeated event is told from a new one."""
    sent = event("created", new_document("twice"))
    sender.deliver(sent)
    finished(stack, sent)
    expect(sender.post(sent), DUPLICATE, "the second")


def forged(stack, sender):
    """A wrong signature gets 401 and writes nothing."""
    before = stack.items("EventsTableName"), stack.items("DocumentsTableName")
    sent = event("created", new_document("forged"))
    expect(sender.post(sent, secret="not-the-secret-of-it"), (401, {"error": "Invalid signature"}), "the forged one")
    expect((stack.items("EventsTableName"), stack.items("DocumentsTableName")), before, "the tables")


def recorded(stack, sender):
    """What ingest refuses is kept while somebody asked for it, and `verify --explain` says what is wrong with it."""
    stack.record("resource")
    sent = event("created", new_document("recorded"))
    expect(sender.post(sent, secret=f"{SECRET}\n")[0], 401, "the secret with a line end behind it")
    [listed] = stack.hookwell("deliveries", "list", "--json", "--stack", stack.name).splitlines()
    listed = json.loads(listed)
    expect((listed["source"], listed["status"], listed["outcome"]), ("resource", 401, "unverified"), "the recorded request")
    shown = stack.hookwell("deliveries", "show", listed["id"], "--json", "--stack", stack.name)
    expect(SECRET in shown, False, "the secret in the recording")
    os.environ["HOOKWELL_SECRET_RESOURCE"] = SECRET
    try:
        explained = stack.hookwell("verify", "--sources", "functions/ingest/sources.toml", "--explain", given=shown)
    finally:
        del os.environ["HOOKWELL_SECRET_RESOURCE"]
    expect("line end" in explained, True, explained)


def without_time(stack, sender):
    """An event that has no time of its own is applied all the same."""
    sent = event_without_time(new_document("timeless"))
    sender.deliver(sent, source="generic")
    finished(stack, sent)


def rejected(stack, sender):
    """An event that can never be applied is in the dead-letter queue at once, with the reason."""
    sent = event("created", new_document("rejected"))
    del sent["data"]["object"]["id"]
    sender.deliver(sent)
    reason = finished(stack, sent, outcomes=("rejected",))["reason"]
    message = dead_letter(stack, sent["id"])
    expect(message["MessageAttributes"]["reason"]["StringValue"], reason, "the reason")


def kept(stack, sender):
    """Events of a source that keeps them are applied again with `replay`, also one that no message can hold."""
    for word, attachment in [("small", ""), ("large", "x" * 3_000_000)]:
        sent = event_without_time(new_document(word)) | {"attachment": attachment}
        sender.deliver(sent, source="generic")
        before = finished(stack, sent)
        expect(stack.hookwell("replay", sent["id"]), "1 put into the queue\n", "replay")
        again = lambda: _ended(records(stack)[sent["id"]])["finished_at"] > before["finished_at"]
        eventually(f"the {word} event is applied again", lambda: _ended(records(stack)[sent["id"]]) and again())
        after = finished(stack, sent)
        expect("reopened_by" in after, True, "who replayed it")


def redriven(stack, sender):
    """A dead letter is shown with its reason and put back with `dlq`."""
    sent = event("created", new_document("rejected"))
    del sent["data"]["object"]["id"]
    sender.deliver(sent)
    before = finished(stack, sent, outcomes=("rejected",))
    line = json.loads(eventually("dlq list shows it", lambda: stack.hookwell("dlq", "list", "--json")))
    expect((line["event_id"], line["reason"]), (sent["id"], before["reason"]), "dlq list")
    shown = json.loads(stack.hookwell("dlq", "show", sent["id"], "--json"))
    expect(json.loads(shown["body"]), sent, "dlq show")
    stack.hookwell("dlq", "redrive", sent["id"])
    again = lambda: records(stack)[sent["id"]]["finished_at"] > before["finished_at"]
    eventually("it was tried again", again)
    dead_letter(stack, sent["id"])


def dead_letter(stack, part):
    """Takes the next message from the dead-letter queue; nothing but what has this in its body may be there."""
    queues, url = stack.client("sqs"), stack.outputs["DeadLetterQueueUrl"]

    def look():
        got = queues.receive_message(QueueUrl=url, MessageAttributeNames=["All"])
        return got.get("Messages")

    [message] = eventually(f"{part} is in the dead-letter queue", look)
    queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    expect(part in message["Body"], True, "the only message in the dead-letter queue is the expected one")
    return message


def poison(stack, sender):
    """A message that is no event is in the dead-letter queue at once; its batch does not suffer."""
    queues, url = stack.client("sqs"), stack.outputs["QueueUrl"]
    body = f"not an event: {new_document('poison')}"
    queues.send_message(QueueUrl=url, MessageBody=body)
    sent = event("created", new_document("beside_poison"))
    sender.deliver(sent)
    finished(stack, sent)
    dead_letter(stack, body)


def later(stack, sender):
    """A message of a later version waits in the retry queue, and the log has what its alarm counts."""
    queues = stack.client("sqs")
    body = json.dumps({"message_version": 3, "later": new_document("later")})
    sent = queues.send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody=body)["MessageId"]
    look = lambda: queues.receive_message(QueueUrl=stack.outputs["RetryQueueUrl"]).get("Messages")
    [message] = eventually("it waits in the retry queue", look)
    expect(message["Body"], body, "the message in the retry queue")
    tries = [line for line in stack.logs("process") if line.get("message.id") == sent]
    expect({(line["outcome"], line.get("unread")) for line in tries}, {("retry", True)}, "the lines of its tries")
    queues.delete_message(QueueUrl=stack.outputs["RetryQueueUrl"], ReceiptHandle=message["ReceiptHandle"])


def attribute(stack, queue, name):
    """An attribute of a queue of the outputs."""
    asked = stack.client("sqs").get_queue_attributes(QueueUrl=stack.outputs[queue], AttributeNames=[name])
    return asked["Attributes"][name]


def waits(stack, sender):
    """An event that failed three times waits in the retry queue, and is applied when it is moved back."""
    policy = json.loads(attribute(stack, "QueueUrl", "RedrivePolicy"))
    expect(int(policy["maxReceiveCount"]), 3, "tries in place")
    expect(policy["deadLetterTargetArn"], attribute(stack, "RetryQueueUrl", "QueueArn"), "the target of the queue")
    further = json.loads(attribute(stack, "RetryQueueUrl", "RedrivePolicy"))["deadLetterTargetArn"]
    expect(further, attribute(stack, "DeadLetterQueueUrl", "QueueArn"), "the target of the retry queue")
    queues, url = stack.client("sqs"), stack.outputs["RetryQueueUrl"]
    sent = event("created", new_document("refused_long"))
    look = lambda: queues.receive_message(QueueUrl=url).get("Messages")
    with Role(stack, "ProcessRole").without("ApplyEvents", "dynamodb:PutItem"):
        sender.deliver(sent)
        [message] = eventually(f"{sent['id']} waits in the retry queue", look)
    record = records(stack)[sent["id"]]
    expect((record["status"], "waits_until" in record, "reason" in record), ("pending", True, True), "its record")
    # What the schedule has SQS do: MiniStack creates schedules, and calls no universal target.
    queues.send_message(QueueUrl=stack.outputs["QueueUrl"], MessageBody=message["Body"])
    queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    finished(stack, sent)


def comes_back(stack, sender):
    """An event whose write was refused is applied seconds later, not after the queue's 3 minutes."""
    sent = event("created", new_document("refused"))
    with Role(stack, "ProcessRole").without("ApplyEvents", "dynamodb:PutItem"):
        sender.deliver(sent)
        tried = lambda: [line for line in stack.logs("process") if line.get("event.id") == sent["id"]]
        eventually(f"{sent['id']} was tried", tried)
    finished(stack, sent)


def unread(stack, sender):
    """An event whose record could not be read is not applied without it, and is applied once when it comes back."""
    sent = event("created", new_document("refused"))
    with Role(stack, "ProcessRole").without("FinishEvents", "dynamodb:BatchGetItem"):
        sender.deliver(sent)
        tried = lambda: [line for line in stack.logs("process") if line.get("event.id") == sent["id"]]
        [line, *_] = eventually(f"{sent['id']} was tried", tried)
        expect((line["outcome"], document(stack, sent["data"]["object"]["id"])), ("retry", None), "what came of the try")
    all_applied_once(stack, [sent])


def table_away(stack, sender):
    """Ingest acknowledges also while the events table refuses it, says so in its log, and the event is applied."""
    sent = event("created", new_document("unremembered"))
    with Role(stack, "IngestRole").without("RememberEvents", "dynamodb:PutItem"):
        sender.deliver(sent)
    finished(stack, sent)


def queue_away(stack, sender):
    """A good event that cannot be queued is answered 503 and not kept quiet about; its sender's next try is taken."""
    sent = event("created", new_document("unqueued"))
    with Role(stack, "IngestRole").without("QueueEvents", "sqs:SendMessage"):
        expect(sender.post(sent)[0], 503, "the answer while the queue refuses")
    sender.deliver(sent)
    finished(stack, sent)


def unusable(stack, sender):
    """Two events of one document with a time that is none: the second one wins, and both are told of in the log."""
    name = new_document("unusable")
    sent = [event(word, name, n=n) | {"created_at": "yesterday"} for n, word in enumerate(("created", "updated"))]
    for one in sent:
        sender.deliver(one)
    all_applied_once(stack, sent)
    expect(json.loads(document(stack, name)["document"]), sent[1]["data"]["object"], "the state")


def tie(stack, sender):
    """Two events of one second, one after the other: the second one wins, and the log says that they tie."""
    name = new_document("tie")
    sent = [event(word, name, 7) for word in ("created", "updated")]
    for one in sent:
        sender.deliver(one)
        finished(stack, one)
    expect(document(stack, name)["event_id"], sent[1]["id"], "the newest event")


def alarms_see(stack):
    """Each metric filter counts a line that was written in this run; but NoKeyYet, for which a provider would have to be away."""
    seen = sorted(metric for metric, lines in (counted(stack, "ingest") | counted(stack, "process")).items() if lines)
    ingest = ["NotConfigured", "NotReady", "Stale", "Strangers", "Unavailable", "Unremembered", "UnusableTime", "Unverified"]
    expect(seen, sorted([*ingest, "Tie", "Unread"]), "the metrics with lines")


def counted(stack, function):
    """How many lines of a function's log each metric filter counts, by its metric. The machine keeps filters and applies none."""
    lines = stack.logs(function)
    group = f"/aws/lambda/{stack.name}-{function}"
    found = {}
    for one in stack.client("logs").describe_metric_filters(logGroupName=group)["metricFilters"]:
        pattern = one["filterPattern"].replace("IS TRUE", "= true")
        name, value = re.fullmatch(r'\{ \$\.(\w+) = ("[\w *]+"|true) \}', pattern).groups()
        [metric] = one["metricTransformations"]
        is_any = value == '"*"'
        found[metric["metricName"]] = sum(name in line if is_any else line.get(name) == json.loads(value) for line in lines)
    return found


def rush(stack, senders, documents=100):
    """Two events of each document, 20 requests at a time: the later one wins, and each takes effect once."""
    names = [new_document("rush") for _ in range(documents)]
    sent = [event(word, name, second, n=second) for name in names for second, word in enumerate(("created", "updated"))]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        again = sum(pool.map(lambda one, sender: sender.deliver(one), sent, itertools.cycle(senders)))
    all_applied_once(stack, sent)
    rows = {row["document_id"]: row for row in stack.items("DocumentsTableName").values()}
    expect([json.loads(rows[name]["document"])["n"] for name in names], [1] * documents, "the states")
    return again


def all_applied_once(stack, sent):
    """Waits until the events are finished; the tables and the log of process say once for each."""
    ids = {one["id"] for one in sent}

    def look():
        found = records(stack)
        return all(_ended(found.get(one)) for one in ids) and found

    found = eventually(f"{len(ids)} events are finished", look)
    expect({found[one]["status"] for one in ids}, {"done"}, "the statuses")
    expect({found[one]["outcome"] for one in ids} <= {"applied", "stale"}, True, "the outcomes")

    def ends():
        lines = [line for line in stack.logs("process") if line.get("event.id") in ids]
        return sorted(line["event.id"] for line in lines if line["outcome"] in ("applied", "stale"))

    eventually("the log of process is whole", lambda: len(ends()) >= len(ids))
    expect(ends(), sorted(ids), "what process logged")


def defaults(stack, sender):
    """The defaults make the function URL and no API, and let nobody in until there is a secret."""
    expect([name for name in stack.outputs if name.startswith("Api")], [], "outputs of an API")
    expect(stack.client("apigatewayv2").get_apis()["Items"], [], "APIs")
    status, answer = sender.post(event("created", new_document("no_secret")))
    expect((status, answer), (503, {"error": "Temporarily unavailable"}), "a source without a secret")


def topics(stack):
    """The two topics that alarms go to, as parameters."""
    create = stack.client("sns").create_topic
    return {f"{level}TopicArn": create(Name=level)["TopicArn"] for level in ("Alarm", "Ticket")}


def tells(stack, topics):
    """Each alarm tells one of the topics."""
    for alarm in stack.client("cloudwatch").describe_alarms()["MetricAlarms"]:
        told = alarm["AlarmActions"]
        expect((alarm["ActionsEnabled"], len(told), told[0] in topics.values()), (True, 1, True), alarm["AlarmName"])


def without_secret(stack, sender):
    """A source without a secret answers 503; the others do not notice."""
    status, answer = sender.post(event_without_time(new_document("no_secret")), source="generic")
    expect((status, answer), (503, {"error": "Temporarily unavailable"}), "the source without a secret")
    sent = event("created", new_document("other_source"))
    sender.deliver(sent)
    finished(stack, sent)


def update_in_place(stack, senders):
    """Senders go on while the stack is updated, and are told nothing but 200 and 503. What was acknowledged is applied,
    and the new parameters count.

    MiniStack ends a sandbox at once when its function changes, with the request that it has; AWS lets it finish. Such a
    request is sent again, as senders do, and there are no more of them than changes and senders."""
    sent, ended, done = [], [], threading.Event()

    def send(sender):
        one = event("created", new_document("during"))
        while not done.wait(0.1):
            status, answer = sender.post(one)
            if status in (500, 502):
                ended.append(answer)
            elif status != 503:
                # After an answer that was lost.
                expect((status, answer) in (RECEIVED, DUPLICATE), True, f"acknowledged, not {status} {answer}")
                sent.append(one)
                one = event("created", new_document("during"))

    with concurrent.futures.ThreadPoolExecutor(len(senders)) as pool:
        running = [pool.submit(send, sender) for sender in senders]
        try:
            stack.deploy(SecretGeneric=SECRET, MaximumConcurrency=6)
        finally:
            done.set()
    for one in running:
        one.result()
    expect(len(sent) > 0, True, "events during the update")
    expect(len(ended) <= 2 * len(senders), True, f"requests that ended with their sandbox: {ended}")
    all_applied_once(stack, sent)
    [mapping] = stack.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    expect(mapping["ScalingConfig"]["MaximumConcurrency"], 6, "the concurrency")
    for sender in senders:
        without_time(stack, sender)
    return len(sent)


def command_line(stack, sender):
    """`hookwell events` and `hookwell documents` show what is in the tables."""
    sent = event("created", new_document("shown"), name="Ada")
    sender.deliver(sent)
    record = finished(stack, sent)
    identity = sent["data"]["object"]["id"]
    shown = json.loads(stack.hookwell("events", "show", sent["id"], "--json"))
    expect((shown["pk"], shown["outcome"]), (record["pk"], "applied"), "events show")
    by_name = json.loads(stack.hookwell("events", "show", sent["id"], "--json", "--stack", stack.name))
    expect(by_name, shown, "events show --stack")
    shown = json.loads(stack.hookwell("documents", "show", identity, "--json"))
    expect(shown["document_id"], identity, "documents show")
    listed = {json.loads(line)["event_id"] for line in stack.hookwell("events", "list", "--json", "--limit", "10000").splitlines()}
    expect(listed, set(records(stack)), "events list")


def parts(stack):
    """What the machine lists of the stack, but for what outlives it."""
    client = stack.client
    return {
        "functions": client("lambda").list_functions()["Functions"],
        "mappings": client("lambda").list_event_source_mappings()["EventSourceMappings"],
        "APIs": client("apigatewayv2").get_apis()["Items"],
        "queues": client("sqs").list_queues().get("QueueUrls", []),
        "roles": client("iam").list_roles()["Roles"],
        "log groups": client("logs").describe_log_groups()["logGroups"],
        "alarms": client("cloudwatch").describe_alarms()["MetricAlarms"],
        "dashboards": client("cloudwatch").list_dashboards()["DashboardEntries"],
    }


def deleted(stack, before):
    """Nothing of the stack is left but the documents and the bucket. What the machine cannot tell: whether AWS lets go of
    everything in this order, and the log resource policy that API Gateway makes in an account for its access logs."""
    expect([what for what, found in before.items() if not found], [], "what was not there before")
    expect({what: found for what, found in parts(stack).items() if found}, {}, "what is left")
    buckets = [bucket["Name"] for bucket in stack.client("s3").list_buckets()["Buckets"]]
    expect(stack.outputs["BucketName"] in buckets, True, "the bucket stays")
    tables = stack.client("dynamodb").list_tables()["TableNames"]
    expect(tables, [stack.outputs["DocumentsTableName"]], "tables")
