"""Deploys the real template with the real release binaries to an AWS on this machine, and uses it as senders do.

SAM checks, builds and deploys template.yaml as the README says; MiniStack plays AWS, with TLS and with IAM enforced, so
that a permission missing from a role fails here, but for those that it does not check (privileges.py). Events go over the
function URL and the HTTP API, and what became of them is read from the tables and queues. In the end the stack is deleted.

Everything is below target/: the tools in target/tools, what this run builds and logs in target/deploy. Your own AWS
account is never asked: the tools see no credentials, profile or endpoint but those of this run."""

import argparse
import os
import signal
import sys


def arguments():
    """What the caller wants."""
    parser = argparse.ArgumentParser(
        prog="tests/deploy/run.sh",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exits with 0 when all steps passed. Needs cargo, Python 3.11 and openssl; the first build takes minutes.",
    )
    parser.add_argument(
        "--least-privilege",
        action="store_true",
        help="then take each permission that the machine checks away, one at a time: something must fail without it (a minute and a half)",
    )
    parser.add_argument("--build", action="store_true", help="only build both functions and weigh them")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="leave the stack and its machine running, and print what to export to work on them",
    )
    return parser.parse_args()


def main(wanted):
    """Runs the steps; returns the exit code."""
    import flow
    import privileges
    import stores
    from machine import TARGET, Machine
    from report import Report
    from sender import SECRET, Sender
    from stack import PARAMETERS, Stack

    # So that a run that is told to end cleans up as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    TARGET.mkdir(parents=True, exist_ok=True)
    steps, machine, stack = Report(), Machine(), Stack()
    machine.enter()
    with steps.needed("sam build"):
        for line in stack.build():
            print(f"     {line}")
    if wanted.build:
        return steps.summary()
    with steps.needed("sam validate, and with --lint"):
        stack.sam("validate")
        stack.sam("validate", "--lint")
    kept = False
    try:
        with steps.needed("MiniStack answers, with TLS and IAM"):
            machine.start()
        with steps.needed("sam deploy with the defaults"):
            stack.deploy()
            flow.defaults(stack, Sender(machine, stack.webhooks("Url")))
        with steps.needed("sam deploy with everything that the defaults leave out"):
            topics = flow.topics(stack)
            stack.deploy(**PARAMETERS, **topics, SecretResource=SECRET)
            flow.tells(stack, topics)
        doors = {"function URL": "Url", "HTTP API": "Api"}
        senders = {name: Sender(machine, stack.webhooks(door)) for name, door in doors.items()}
        with steps.step("a source without a secret answers 503"):
            flow.without_secret(stack, senders["function URL"])
        with steps.step("the stack is updated in place while senders go on"):
            print(f"     {flow.update_in_place(stack, list(senders.values()))} events during the update")
        checks = [flow.create_update_delete, flow.duplicate, flow.forged, flow.without_time, flow.unusable, flow.tie, flow.rejected]
        checks += [flow.poison]
        for name, sender in senders.items():
            for check in checks:
                with steps.step(f"{name}: {check.__name__.replace('_', ' ')}"):
                    check(stack, sender)
        url = senders["function URL"]
        with steps.step("an event whose write was refused comes back in seconds"):
            flow.comes_back(stack, url)
        with steps.step("an event that is refused for longer waits, and is applied when it is moved back"):
            flow.waits(stack, url)
        with steps.step("a message of a later version waits, and the log says so"):
            flow.later(stack, url)
        with steps.step("process applies nothing while it cannot read the records"):
            flow.unread(stack, url)
        with steps.step("ingest goes on without the events table"):
            flow.table_away(stack, url)
        with steps.step("an event that cannot be queued is answered 503, and taken when it comes again"):
            flow.queue_away(stack, url)
        with steps.step("200 posts, 20 at a time, over both"):
            print(f"     {flow.rush(stack, list(senders.values()))} of them had to be repeated after a 503")
        with steps.step("hookwell events and documents show the same"):
            flow.command_line(stack, url)
        with steps.step("hookwell dlq shows a dead letter and puts it back"):
            flow.redriven(stack, url)
        with steps.step("hookwell replay applies a kept event again, also one of 3 MB"):
            flow.kept(stack, url)
        with steps.step("a refused request is recorded by hookwell deliveries record, and explained"):
            flow.recorded(stack, url)
        with steps.step("a secret that is changed in its store counts at once"):
            stores.use(stack)
            stores.rotate(stack, url)
        with steps.step("while a store refuses, the last secret counts and an alarm is told"):
            stores.away(stack, url)
        with steps.step("a secret that is gone from its store is told from one that was never given"):
            stores.lost(stack, url)
        with steps.step("the metric filters see what ingest logs"):
            flow.alarms_see(stack)
        if wanted.least_privilege:
            privileges.check(stack, url, steps)
        if kept := wanted.keep:
            return steps.summary()
        with steps.step("sam delete"):
            before = flow.parts(stack)
            stack.delete()
            flow.deleted(stack, before)
        return steps.summary()
    finally:
        if steps.failed:
            print(f"the last lines of {machine.log}, which is whole there:")
            print(machine.last_words())
        if kept:
            print_exports(machine)
        else:
            machine.stop()


def print_exports(machine):
    """How to go on with a machine that was kept."""
    from stack import TOOL

    names = ["AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    for name in [*names, *TOOL]:
        print(f"export {name}={os.environ[name]}")
    print(f"end it with: kill -- -{machine.process.pid}")


if __name__ == "__main__":
    sys.exit(main(arguments()))
