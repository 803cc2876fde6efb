"""Sessions at an SFTP server, by one light client that is the same for all servers: asyncssh, which is run with the
Python that has it. What it measured goes to standard output as one line of JSON for each word of standard input.

    sftp_load.py CIPHER logins N     N logins one after the other, each until the server's VERSION is there
    sftp_load.py CIPHER hold N       N sessions at once; then `move K SECONDS PATH` reads a file in K of them, again
                                     and again; anything else ends
    sftp_load.py CIPHER stat S PATH  a STAT on a session of its own every 20 ms for S seconds

Where the server is stands in the environment (doors.Door.environment)."""

import asyncio
import json
import os
import resource
import sys
import time

import asyncssh

# So many logins of one process are on their way at once: fewer than any server refuses.
ABREAST = 4
# Bytes that are asked for at once.
BLOCK = 256 << 10
# Seconds between two questions.
PACE = 0.02


async def come_in(cipher):
    """A connection with an SFTP session whose VERSION has arrived."""
    door = os.environ
    connection = await asyncssh.connect(
        door["DOOR_HOST"], int(door["DOOR_PORT"]), config=None, username=door["DOOR_USER"],
        client_keys=[door["DOOR_KEY"]], known_hosts=door["DOOR_KNOWN_HOSTS"], encryption_algs=[cipher],
        agent_path=None, compression_algs=["none"], login_timeout=300)
    return connection, await connection.start_sftp_client()


def tell(**figures):
    print(json.dumps(figures), flush=True)


async def logins(cipher, count):
    took = []
    before = time.process_time()
    for _ in range(count):
        begin = time.monotonic()
        connection, _client = await come_in(cipher)
        took.append(time.monotonic() - begin)
        connection.close()
        await connection.wait_closed()
    tell(seconds=took, client_cpu=(time.process_time() - before) / max(count, 1))


async def hold(cipher, count):
    gate, begin, failed = asyncio.Semaphore(ABREAST), time.monotonic(), []

    async def enter():
        async with gate:
            try:
                return await come_in(cipher)
            except (OSError, asyncssh.Error) as error:
                failed.append(f"{type(error).__name__}: {error}")
                return None

    sessions = [one for one in await asyncio.gather(*(enter() for _ in range(count))) if one]
    tell(sessions=len(sessions), seconds=time.monotonic() - begin, failed=failed[:3])
    loop = asyncio.get_running_loop()
    while words := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        if words[0] != "move":
            break
        chosen = sessions[: int(words[1])]
        end = time.monotonic() + float(words[2])
        moved = await asyncio.gather(*(move(client, words[3], end) for _, client in chosen), return_exceptions=True)
        good = [one for one in moved if isinstance(one, int)]
        tell(moved=sum(good), least=min(good, default=0), broken=len(moved) - len(good))
    # Whoever started it waits for nothing else: the connections need no farewell.
    sys.stdout.flush()
    os._exit(0)


async def move(client, path, end):
    """Reads the file from its start to its end, and again, until the time is over; bytes."""
    moved = 0
    async with client.open(path, "rb") as file:
        while time.monotonic() < end:
            data = await file.read(BLOCK)
            moved += len(data)
            if len(data) < BLOCK:
                await file.seek(0)
    return moved


async def stat(cipher, seconds, path):
    connection, client = await come_in(cipher)
    tell(ready=True)
    took, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        await client.stat(path)
        took.append(time.monotonic() - begin)
        await asyncio.sleep(PACE)
    connection.close()
    tell(seconds=took)


def main(cipher, work, *words):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    works = {"logins": lambda n: logins(cipher, int(n)), "hold": lambda n: hold(cipher, int(n)),
             "stat": lambda s, path: stat(cipher, float(s), path)}
    asyncio.run(works[work](*words))


if __name__ == "__main__":
    main(*sys.argv[1:])
