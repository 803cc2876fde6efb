"""Runs asyncssh's own tests of its SFTP and SCP clients with the server that the environment names instead of one in
this process. Its sources lie beside this file. The folder that the tests make for themselves is the served one, since
they look at it from both sides.

Says `ok CASE`, `skip CASE WHY` and `FAIL CASE WORDS`."""

import asyncio
import inspect
import os
import unittest
import unittest.mock

import asyncssh

from tests import test_sftp, util

# Seconds for one test.
PATIENCE = 30
# What a test says that needs a server in its own process, and why that cannot be another.
INSIDE = {
    "@sftp_test_v": "speaks a version of the protocol that neither server has",
    "sftp_version=": "speaks a version of the protocol that neither server has",
    "_sftp_client_v": "speaks a version of the protocol that neither server has",
    "SFTPServer": "replaces parts of a server in the same process",
    "patch('os.": "replaces functions of the system that a server in the same process uses",
    "patch('pwd.": "replaces functions of the system that a server in the same process uses",
    "patch('grp.": "replaces functions of the system that a server in the same process uses",
    "client_version=": "tries how asyncssh's server takes a client that gives itself out as another",
}
# Tests by their names.
LEFT_OUT = {"test_sparse_copy": "reads gigabytes of holes, which only an extension of asyncssh's own could tell"}
DOUBLE = "wants a server that misbehaves, or that is written in another way"
NO_SERVER = "needs no server"


class Patient(asyncio.SelectorEventLoop):
    """Nothing takes for ever."""

    def run_until_complete(self, future):
        return super().run_until_complete(asyncio.wait_for(future, PATIENCE))


class ServedFolder:
    """What the tests take for a temporary directory."""

    def __init__(self):
        self.name = os.environ["DOOR_ROOT"]

    def cleanup(self):
        """It ends with the server."""


class Outside:
    """Placed before a class of tests, it takes the server from elsewhere."""

    server = (os.environ["DOOR_HOST"], int(os.environ["DOOR_PORT"]))
    login = {"config": None, "username": os.environ["DOOR_USER"], "client_keys": [os.environ["DOOR_KEY"]],
             "known_hosts": os.environ["DOOR_KNOWN_HOSTS"]}

    @classmethod
    def setUpClass(cls):
        with (unittest.mock.patch.object(util.tempfile, "TemporaryDirectory", ServedFolder),
              unittest.mock.patch.object(util.asyncio, "new_event_loop", Patient)):
            super().setUpClass()

    @classmethod
    async def asyncSetUpClass(cls):
        cls._scp_server = cls.server

    @classmethod
    async def asyncTearDownClass(cls):
        pass

    def connect(self, **options):
        return asyncssh.connect(*self.server, **{**self.login, **options})


def inside(test):
    """Why a test cannot have a server elsewhere; none when it can."""
    text = inspect.getsource(inspect.unwrap(test))
    return LEFT_OUT.get(test.__name__) or next((why for words, why in INSIDE.items() if words in text), None)


def is_plain(kind):
    """Is the server of a class of tests an ordinary one?"""
    return "sftp_factory=True" in inspect.getsource(kind.start_server)


class Told(unittest.TestResult):
    """A line for each case. A case with parts fails with the first of them."""

    def __init__(self):
        super().__init__()
        self.wrong = set()

    def say(self, test, error, part=""):
        name = case_name(test)
        if name not in self.wrong:
            self.wrong.add(name)
            words = " ".join(f"{part} {error[0].__name__}: {error[1]}".split())
            print(f"FAIL {name} {words}", flush=True)

    def addError(self, test, error):
        self.say(test, error)

    addFailure = addError

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.say(test, error, subtest._subDescription())

    def addSkip(self, test, reason):
        print(f"skip {case_name(test)} {reason}", flush=True)

    def addSuccess(self, test):
        if case_name(test) not in self.wrong:
            print(f"ok {case_name(test)}", flush=True)


def case_name(test):
    return ".".join(str(test.id()).split(".")[-2:]).replace(" ", "_")


def cases():
    """A suite for each class whose server may be elsewhere. Of the others it is said why they are left out."""
    for name, kind in inspect.getmembers(test_sftp, inspect.isclass):
        if not (name.startswith("_Test") and issubclass(kind, unittest.TestCase)):
            continue
        name = name.lstrip("_")
        tests = dict(inspect.getmembers(kind, lambda one: inspect.isfunction(one) and one.__name__.startswith("test_")))
        if not issubclass(kind, test_sftp._CheckSFTP) or not is_plain(kind):
            why = DOUBLE if issubclass(kind, test_sftp._CheckSFTP) else NO_SERVER
            for test in tests:
                print(f"skip {name}.{test} {why}")
            continue
        left_out = {test: unittest.skip(why)(code) for test, code in tests.items() if (why := inside(code))}
        yield unittest.defaultTestLoader.loadTestsFromTestCase(type(name, (Outside, kind), left_out))


def there(path):
    """A path of a copy: at the server it is meant from the served folder, not from a user's home."""
    if isinstance(path, list):
        return [there(one) for one in path]
    if isinstance(path, asyncssh.SSHClientConnection):
        return there((path, ""))
    if not isinstance(path, tuple):
        return path
    server, name = path
    top = f"{os.environ['DOOR_TOP']}/"
    return server, os.fsencode(top) + name if isinstance(name, bytes) else type(name)(f"{top}{name}")


def scp(source, target, **options):
    return asyncssh.scp(there(source), there(target), **Outside.login, **options)


def main():
    test_sftp.scp = scp
    for suite in cases():
        suite.run(Told())


if __name__ == "__main__":
    main()
