"""A client that sends the requests of the Python tool that went before this one, in its language and with its HTTP
library: the twin of predecessor.ts, and as kind to it (no metadata, no retention, no validation).

    predecessor.py backup|restore URL FILE COLLECTION DOCUMENTS_MAX

Prints one line of JSON: seconds, without the start of Python, and documents.
"""

import gzip
import json
import sys
import time
import urllib.parse

import requests

PAGE = 100
session = requests.Session()
session.headers["x-api-key"] = "benchmark-key"


def back_up(url: str, file: str, collection: str) -> int:
    documents: list = []
    while True:
        query = {"filters": {}, "limit": PAGE, "offset": len(documents), "sort": {"created_at": "asc"}}
        answer = session.post(f"{url}/collections/{collection}/query", json=query)
        answer.raise_for_status()
        page = answer.json()["documents"]
        documents.extend(page)
        if len(page) < PAGE:
            break
    archive = {
        "collection": collection,
        "backup_type": "full",
        "document_count": len(documents),
        "documents": documents,
    }
    with gzip.open(file, "wt", encoding="utf-8", compresslevel=9) as stream:
        json.dump(archive, stream, indent=2, default=str)
    return len(documents)


def restore(url: str, file: str, collection: str, documents_max: int) -> int:
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        documents = json.load(stream)["documents"][:documents_max]
    path = f"{url}/collections/{collection}/documents"
    for document in documents:
        place = f"{path}/{urllib.parse.quote(document['id'], safe='')}"
        if session.get(place).status_code == 200:
            send(session.put, place, {"data": document, "merge": False})
        else:
            send(session.post, path, {"data": document, "id": document["id"]})
    return len(documents)


def send(method, place: str, body: dict) -> None:
    """Without the spaces that the library would put in: the server of the benchmark compares bytes."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    method(place, data=text, headers={"content-type": "application/json"}).raise_for_status()


def main() -> None:
    operation, url, file, collection, documents_max = sys.argv[1:]
    begin = time.perf_counter()
    if operation == "backup":
        documents = back_up(url, file, collection)
    else:
        documents = restore(url, file, collection, int(documents_max))
    print(json.dumps({"seconds": time.perf_counter() - begin, "documents": documents}))


main()
