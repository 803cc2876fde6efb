"""TLS connections to an HTTP server that ask for one file each and are then left alone. What came of it goes to
standard output as one line of JSON; they end with standard input.

    http_load.py HOST PORT CERTIFICATE PATH FILE COUNT

PATH is what to ask for, FILE what its bytes are. The name and the password are in the environment."""

import base64
import http.client
import json
import os
import pathlib
import ssl
import sys
import time

# Seconds for one answer.
PATIENCE = 60


def main():
    host, port, certificate, path, file, count = sys.argv[1:]
    context = ssl.create_default_context(cafile=certificate)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    secret = base64.b64encode(os.environ["BENCH_LOGIN"].encode()).decode()
    wanted = pathlib.Path(file).read_bytes()
    connections, wrong, failed = [], 0, []
    begin = time.monotonic()
    for _ in range(int(count)):
        one = http.client.HTTPSConnection(host, int(port), timeout=PATIENCE, context=context)
        try:
            one.request("GET", path, headers={"Authorization": f"Basic {secret}"})
            answer = one.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            failed.append(f"{type(error).__name__}: {error}")
            continue
        wrong += body != wanted or answer.status != 200
        connections.append(one)
    print(json.dumps({"connections": len(connections), "seconds": time.monotonic() - begin, "wrong": wrong,
                      "failed": failed[:3]}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
