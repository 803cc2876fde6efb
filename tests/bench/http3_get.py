"""curl with HTTP/3, which Debian's does not have: that of curl_cffi, which is built with ngtcp2. The few words of
curl's that the benchmark needs, and like there the figures of the transfer as a line of JSON at the end.

    http3_get.py CERTIFICATE [-I] [-o FILE] URL

The name and the password are in the environment."""

import json
import os
import pathlib
import sys

import curl_cffi
from curl_cffi import Curl, CurlHttpVersion, CurlInfo, CurlOpt

VERSIONS = {2: "1.1", 3: "2", 30: "3"}


def main():
    certificate, *words, url = sys.argv[1:]
    if url == "--version":
        print(curl_cffi.__curl_version__)
        return
    curl, came = Curl(), 0
    with pathlib.Path(words[words.index("-o") + 1]).open("wb", buffering=0) as out:

        def write(piece):
            nonlocal came
            came += len(piece)
            return out.write(piece)

        for option, value in ((CurlOpt.URL, url.encode()), (CurlOpt.USERPWD, os.environ["BENCH_LOGIN"].encode()),
                              (CurlOpt.HTTP_VERSION, CurlHttpVersion.V3ONLY), (CurlOpt.CAINFO, certificate.encode()),
                              (CurlOpt.NOBODY, int("-I" in words)), (CurlOpt.FAILONERROR, int("-I" not in words)),
                              (CurlOpt.WRITEFUNCTION, write)):
            curl.setopt(option, value)
        curl.perform()
    names = {"time_total": CurlInfo.TOTAL_TIME, "time_pretransfer": CurlInfo.PRETRANSFER_TIME,
             "time_starttransfer": CurlInfo.STARTTRANSFER_TIME}
    told = {name: curl.getinfo(info) for name, info in names.items()}
    version = VERSIONS.get(curl.getinfo(CurlInfo.HTTP_VERSION), "unknown")
    print("\n" + json.dumps({**told, "http_version": version, "size_download": came}))


if __name__ == "__main__":
    main()
