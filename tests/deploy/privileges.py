"""Least privilege: with any one action of the three roles taken away, something fails.

The machine enforces the policies of the functions' own calls. What AWS does in a role's name outside of the function
it does not check; those actions are named in `UNSEEN`, and what fails without one is their comparison with the role.
The actions of KMS come only with SecretKeyArn and KeyArn, which this test does not give, and are in neither count.
"""

import json

import flow
import report
import stores
from report import Failed, expect
from roles import Role

MAPPING = "MiniStack's event source mapping works on the queue without the role"
LOGS = "MiniStack writes the logs itself"
TRACES = "MiniStack has no X-Ray daemon"
SCHEDULE = "MiniStack calls no universal target"
MISSING = "MiniStack says 404 of a missing object to everybody"

# Role, action: the resource (of the template, or a star) and why the machine cannot show that it is needed.
UNSEEN = {
    ("IngestRole", "logs:CreateLogStream"): ("IngestLogs", LOGS),
    ("IngestRole", "logs:PutLogEvents"): ("IngestLogs", LOGS),
    ("IngestRole", "xray:PutTraceSegments"): ("*", TRACES),
    ("IngestRole", "xray:PutTelemetryRecords"): ("*", TRACES),
    ("ProcessRole", "sqs:ReceiveMessage"): ("Queue", MAPPING),
    ("ProcessRole", "sqs:DeleteMessage"): ("Queue", MAPPING),
    ("ProcessRole", "sqs:GetQueueAttributes"): ("Queue", MAPPING),
    ("ProcessRole", "s3:ListBucket"): ("Bucket", MISSING),
    ("ProcessRole", "logs:CreateLogStream"): ("ProcessLogs", LOGS),
    ("ProcessRole", "logs:PutLogEvents"): ("ProcessLogs", LOGS),
    ("ProcessRole", "xray:PutTraceSegments"): ("*", TRACES),
    ("ProcessRole", "xray:PutTelemetryRecords"): ("*", TRACES),
    ("RetryRole", "sqs:StartMessageMoveTask"): ("RetryQueue", SCHEDULE),
    ("RetryRole", "sqs:ReceiveMessage"): ("RetryQueue", SCHEDULE),
    ("RetryRole", "sqs:DeleteMessage"): ("RetryQueue", SCHEDULE),
    ("RetryRole", "sqs:GetQueueAttributes"): ("RetryQueue", SCHEDULE),
    ("RetryRole", "sqs:SendMessage"): ("Queue", SCHEDULE),
}


def everything(stack, sender):
    """One pass over all that the functions ask of AWS."""
    stores.rotate(stack, sender)
    flow.duplicate(stack, sender)
    flow.without_time(stack, sender)
    flow.rejected(stack, sender)
    flow.kept(stack, sender)
    flow.comes_back(stack, sender)


def fresh(stack):
    """New sandboxes, which remember nothing, and no messages of earlier checks."""
    for logical in ("IngestFunction", "ProcessFunction"):
        # Any setting that a sandbox depends on, unchanged.
        stack.client("lambda").update_function_configuration(FunctionName=stack.physical(logical), MemorySize=256)
    for queue in ("QueueUrl", "DeadLetterQueueUrl"):
        stack.client("sqs").purge_queue(QueueUrl=stack.outputs[queue])


def refusals(stack):
    """How often AWS refused a call of a function, says its log; without what `flow.comes_back` provokes."""
    lines = [line for name in ("ingest", "process") for line in stack.logs(name)]
    return sum("AccessDenied" in json.dumps(line) for line in lines if "refused_" not in line.get("document.id", ""))


def check(stack, sender, steps):
    """Takes each action away, one at a time, and puts it back."""
    roles = [Role(stack, "IngestRole"), Role(stack, "ProcessRole"), Role(stack, "RetryRole")]
    with steps.step("privileges: what is allowed is enough"):
        fresh(stack)
        refused = refusals(stack)
        everything(stack, sender)
        expect(refusals(stack), refused, "refused calls")
    taken = 0
    for role in roles:
        for sid, action, _ in list(role.actions()):
            with steps.step(f"privileges: {role.logical} {sid} {action}"):
                if unseen := UNSEEN.get((role.logical, action)):
                    with role.without(sid, action):
                        expect(missing(stack, roles), [(role.logical, action)], "what the comparison misses")
                    print(f"     without it the comparison fails, the flow cannot: {unseen[1]}")
                    continue
                taken += 1
                taken_away(stack, sender, role, sid, action)
    with steps.step("privileges: the template has all that the flow cannot show"):
        expect(missing(stack, roles), [], "missing from the roles")
        print(f"     the flow needs {taken} of {taken + len(UNSEEN)} actions, the comparison the others")
        callers(stack)


def missing(stack, roles):
    """The actions of `UNSEEN` that a role does not have, or for another resource."""
    found = {(role.logical, action): resource for role in roles for _, action, resource in role.actions()}
    return [key for key, (name, _) in UNSEEN.items() if found.get(key) != arn(stack, name)]


def taken_away(stack, sender, role, sid, action):
    """Something must fail without this action, because AWS refused a call."""
    with role.without(sid, action):
        fresh(stack)
        refused = refusals(stack)
        report.patience = 5
        try:
            everything(stack, sender)
        except Failed as why:
            print(f"     without it: {why}")
        else:
            raise Failed("nothing fails without it: take it out of template.yaml")
        finally:
            report.patience = report.PATIENCE
        if refusals(stack) == refused:
            raise Failed("it failed, but AWS refused nothing")


def callers(stack):
    """Who may call ingest. MiniStack lets everybody call, so this is compared with what AWS asks for."""
    policy = stack.client("lambda").get_policy(FunctionName=stack.physical("IngestFunction"))["Policy"]
    found = []
    for statement in json.loads(policy)["Statement"]:
        conditions = [key for test in statement["Condition"].values() for key in test]
        found.append((statement["Action"], statement["Principal"], *conditions))
    api, url = ({"Service": "apigateway.amazonaws.com"}, "AWS:SourceArn"), "lambda:InvokedViaFunctionUrl"
    wanted = [
        ("lambda:InvokeFunction", *api),
        ("lambda:InvokeFunction", "*", url),
        ("lambda:InvokeFunctionUrl", "*", "lambda:FunctionUrlAuthType"),
    ]
    expect(sorted(found, key=str), sorted(wanted, key=str), "the permissions")


def arn(stack, name):
    """The ARN of a resource of the template, as the template's policies name it."""
    if name == "*":
        return name
    physical = stack.physical(name)
    if name == "Bucket":
        return f"arn:aws:s3:::{physical}"
    if name.endswith("Queue"):
        asked = stack.client("sqs").get_queue_attributes(QueueUrl=physical, AttributeNames=["QueueArn"])
        return asked["Attributes"]["QueueArn"]
    [group] = stack.client("logs").describe_log_groups(logGroupNamePrefix=physical)["logGroups"]
    return group["arn"]
