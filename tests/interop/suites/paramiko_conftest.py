"""Takes the place of the conftest.py in paramiko's tests: `sftp` is a client of the server that the environment names,
not of one in this process. The tests run in the served folder, since they look at it from both sides."""

import os
import shutil

import paramiko
import pytest


@pytest.fixture
def sftp_server():
    transport = paramiko.Transport((os.environ["DOOR_HOST"], int(os.environ["DOOR_PORT"])))
    transport.connect(username=os.environ["DOOR_USER"],
                      pkey=paramiko.Ed25519Key.from_private_key_file(os.environ["DOOR_KEY"]))
    yield transport
    transport.close()


@pytest.fixture
def sftp(sftp_server):
    client = paramiko.SFTPClient.from_transport(sftp_server)
    client.FOLDER = "paramiko-test-target"
    shutil.rmtree(client.FOLDER, ignore_errors=True)
    os.mkdir(client.FOLDER)
    yield client
    shutil.rmtree(client.FOLDER, ignore_errors=True)
