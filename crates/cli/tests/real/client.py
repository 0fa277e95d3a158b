"""Requests of Python's http.client on one connection: client.py PORT HOST FILE."""

import hashlib
import http.client
import json
import os
import sys

port, host, file = int(sys.argv[1]), sys.argv[2], sys.argv[3]
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
sockets = set()


def ask(method, path, body=None, **headers):
    connection.request(method, path, body, {"Host": host, **headers})
    sockets.add(connection.sock)
    response = connection.getresponse()
    digest, length = hashlib.sha256(), 0
    while data := response.read(65536):
        digest.update(data)
        length += len(data)
    return response, length, digest.hexdigest()


found = {}
response, length, _ = ask("GET", "/small")
found["get"] = [response.status, length]
response, length, _ = ask("HEAD", "/large")
found["head"] = [response.status, int(response.getheader("content-length")), length]
response, length, digest = ask("GET", "/large")
found["large"] = [response.status, length, digest]
response, length, digest = ask("GET", "/large", Range="bytes=1000-1999")
found["range"] = [response.status, length, digest, response.getheader("content-range")]
response, length, _ = ask("GET", "/none")
found["404"] = response.status
response, length, _ = ask("GET", "/fails")
found["500"] = response.status
response, length, digest = ask("GET", "/chunked/small")
found["chunked"] = [response.status, response.getheader("transfer-encoding"), digest]
with open(file, "rb") as body:
    size = str(os.path.getsize(file))
    response, length, _ = ask("POST", "/post/python", body, **{"Content-Length": size})
found["post"] = response.status
found["connections"] = len(sockets)
print(json.dumps(found))
