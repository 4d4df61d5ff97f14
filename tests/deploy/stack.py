"""The stack of template.yaml: checked, built, deployed, updated and deleted with the SAM CLI."""

import json
import os
import platform
import re
import shutil
import subprocess
import zipfile

import boto3
from samcli.yamlhelper import yaml_dump, yaml_parse

from machine import PYTHON, ROOT, TARGET
from report import Failed, expect

# The functions, and the most bytes that each may have to be uploaded, a little over what they have: a crate too many shows
# here, and every cold start loads it.
FUNCTIONS = {"ingest": int(3.4 * 2**20), "process": int(3.1 * 2**20)}
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
BUILT = TARGET / "build"
# Beside what it names.
DEPLOYED = BUILT / "deployed.yaml"

# Everything that the template's defaults leave out.
PARAMETERS = {
    "Endpoint": "both",
    "Tracing": "Active",
    "SecretPrefix": "hookwell/",
}

# Where the command-line tool looks, and the outputs that say so.
TOOL = {
    "HOOKWELL_EVENTS_TABLE": "EventsTableName",
    "HOOKWELL_DOCUMENTS_TABLE": "DocumentsTableName",
    "HOOKWELL_QUEUE_URL": "QueueUrl",
    "HOOKWELL_DEAD_LETTER_QUEUE_URL": "DeadLetterQueueUrl",
    "HOOKWELL_BUCKET": "BucketName",
}


class Stack:
    """The stack on the machine of the environment."""

    # As in samconfig.toml.
    name = "hookwell"

    def client(self, service):
        """A client of a service of the machine."""
        return boto3.client(service)

    def run(self, *command, given=None):
        """Runs a tool at the root of the repository and returns what it printed; its whole output when it fails. `given` is
        what it reads."""
        done = subprocess.run(
            list(map(str, command)), cwd=ROOT, text=True, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))} exited with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def sam(self, *arguments):
        """Runs the SAM CLI."""
        return self.run(PYTHON / "sam", *arguments)

    def build(self):
        """Builds both functions with cargo-lambda, to `binaries` as well; returns a line for each with sizes and crates."""
        self.sam("build", "--build-dir", BUILT, "--parameter-overrides", f"Architecture={ARCHITECTURE}")
        DEPLOYED.write_text(yaml_dump(without_metric_math(yaml_parse((BUILT / "template.yaml").read_text()))))
        return [self._describe(function) for function in FUNCTIONS]

    def _describe(self, function):
        binary = TARGET / "binaries" / function
        binary.parent.mkdir(exist_ok=True)
        shutil.copy(BUILT / f"{function.capitalize()}Function" / "bootstrap", binary)
        packed = TARGET / f"{function}.zip"
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(binary, "bootstrap")
        raw, zipped = (os.path.getsize(path) for path in (binary, packed))
        if zipped > FUNCTIONS[function]:
            raise Failed(f"{function} is {zipped} bytes to upload, over {FUNCTIONS[function]}")
        tree = self.run("cargo", "tree", "--locked", "--package", function, "--edges", "normal", "--prefix", "none")
        crates = {line.removesuffix(" (*)") for line in tree.splitlines()}
        return f"{function}: {raw / 2**20:.1f} MiB, {zipped / 2**20:.1f} MiB to upload, {len(crates)} crates"

    def deploy(self, **parameters):
        """Deploys the stack with these parameters and the template's defaults, or updates it; the rest keeps its values."""
        parameters["Architecture"] = ARCHITECTURE
        overrides = [f"{name}={value}" for name, value in parameters.items()]
        self.sam(
            "deploy",
            *("--template-file", DEPLOYED, "--config-file", ROOT / "samconfig.toml"),
            *("--no-confirm-changeset", "--no-progressbar"),
            *("--parameter-overrides", *overrides),
        )
        outputs = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]["Outputs"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in outputs}
        for name, output in TOOL.items():
            os.environ[name] = self.outputs[output]
        self._give_the_mapping_a_number()
        self._check_dashboard()

    def webhooks(self, door):
        """The address at one of the doors, Url or Api, of all sources but for the name at its end."""
        return self.outputs[f"{door}Resource"].removesuffix("resource")

    def _check_dashboard(self):
        """It is JSON, and names alarms that are there."""
        watch = self.client("cloudwatch")
        body = json.loads(watch.get_dashboard(DashboardName=self.physical("Dashboard"))["DashboardBody"])
        [alarms] = [widget["properties"]["alarms"] for widget in body["widgets"] if widget["type"] == "alarm"]
        there = [alarm["AlarmArn"] for alarm in watch.describe_alarms()["MetricAlarms"]]
        expect(sorted(alarms), sorted(there), "the alarms of the dashboard")

    def _give_the_mapping_a_number(self):
        """MiniStack keeps the template's MaximumConcurrency as text and cannot compare it."""
        functions = self.client("lambda")
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            most = int(mapping["ScalingConfig"]["MaximumConcurrency"])
            functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": most})

    def delete(self):
        """Deletes the stack."""
        self.sam("delete", "--stack-name", self.name, "--no-prompts")

    def physical(self, logical):
        """The name of a resource of the template in this stack."""
        found = self.client("cloudformation").describe_stack_resource(StackName=self.name, LogicalResourceId=logical)
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def items(self, table):
        """Everything in a table, by `pk`; texts, numbers and booleans without DynamoDB's type letters."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.outputs[table], ConsistentRead=True)
        plain = lambda item: {name: next(iter(value.values())) for name, value in item.items()}
        return {item["pk"]: item for page in pages for item in map(plain, page["Items"])}

    def logs(self, function):
        """What a function logged, oldest first: JSON lines as objects."""
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{self.name}-{function}")
        lines = [line for page in pages for event in page["events"] for line in event["message"].splitlines()]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def hookwell(self, *arguments, given=None):
        """What the command-line tool says about this stack."""
        return self.run(os.environ["HOOKWELL"], *arguments, given=given)

    def record(self, source):
        """Has ingest keep what it refuses of a source."""
        self.hookwell("deliveries", "record", source, "--for", "20m", "--stack", self.name)
        # The update set it to text again.
        self._give_the_mapping_a_number()


def without_metric_math(template):
    """A template without the alarms over several metrics, which MiniStack refuses. cfn-lint has seen them."""
    resources = template["Resources"]
    math = [name for name, one in resources.items() if "Metrics" in one.get("Properties", {})]
    for name in math:
        del resources[name]
    # As the dashboard names them.
    named = re.compile(rf'"\$\{{({"|".join(math)})\.Arn\}}",\s*')

    def forget(value):
        if isinstance(value, str):
            return named.sub("", value)
        if isinstance(value, dict):
            return type(value)((key, forget(inner)) for key, inner in value.items())
        if isinstance(value, list):
            return [forget(inner) for inner in value]
        return value

    return forget(template)
