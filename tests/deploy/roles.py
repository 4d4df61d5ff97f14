"""The roles of the stack, and their policies with something taken away."""

import contextlib
import json

from report import expect


class Role:
    """A role of the stack and its one policy."""

    def __init__(self, stack, logical):
        self.logical = logical
        self._roles = stack.client("iam")
        self._name = stack.physical(logical)
        [self._policy_name] = self._roles.list_role_policies(RoleName=self._name)["PolicyNames"]

    def policy(self):
        """What it may do now."""
        found = self._roles.get_role_policy(RoleName=self._name, PolicyName=self._policy_name)
        return found["PolicyDocument"]

    def actions(self):
        """Each action of each statement, as they are now: statement id, action, resource."""
        for statement in self.policy()["Statement"]:
            expect(statement["Effect"], "Allow", statement["Sid"])
            for action in as_list(statement["Action"]):
                yield statement["Sid"], action, statement["Resource"]

    @contextlib.contextmanager
    def without(self, sid, action):
        """Takes one action of one statement away for a while."""
        whole = self.policy()
        self._write(reduced(whole, sid, action))
        try:
            yield
        finally:
            self._write(whole)

    def _write(self, policy):
        document = json.dumps(policy)
        self._roles.put_role_policy(RoleName=self._name, PolicyName=self._policy_name, PolicyDocument=document)


def as_list(value):
    """IAM takes one text for a list of one."""
    return value if isinstance(value, list) else [value]


def reduced(policy, sid, action):
    """The policy without one action of one statement."""
    statements = [
        statement | {"Action": [one for one in as_list(statement["Action"]) if (statement["Sid"], one) != (sid, action)]}
        for statement in policy["Statement"]
    ]
    return policy | {"Statement": [statement for statement in statements if statement["Action"]]}
