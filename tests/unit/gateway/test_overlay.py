"""How a later message lies over what is known of a resource."""

from __future__ import annotations

from gateway.records.content import overlay

DOCUMENT = {
    "resourceType": "DocumentReference",
    "id": "d",
    "status": "current",
    "content": [{"attachment": {"contentType": "text/plain", "data": "QQ=="}}],
}


def test_a_document_of_which_only_the_state_is_told_keeps_its_content() -> None:
    state = {**DOCUMENT, "status": "superseded", "content": [{"attachment": {"contentType": "text/plain"}}]}
    merged = overlay(DOCUMENT, state, overwrite=True)
    assert merged["status"] == "superseded"
    assert merged["content"] == DOCUMENT["content"]


def test_new_content_replaces_the_old() -> None:
    new = {**DOCUMENT, "content": [{"attachment": {"url": "https://pacs.example/1"}}]}
    assert overlay(DOCUMENT, new, overwrite=True)["content"] == new["content"]
    empty = {**DOCUMENT, "content": [{"attachment": {"title": "x"}}]}
    assert overlay(empty, DOCUMENT, overwrite=True)["content"] == DOCUMENT["content"]
