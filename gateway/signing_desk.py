"""The desk where papers wait for their signature.

Here and now every paper is signed by the facility's own key as soon as it is composed; who signs, in which order and by which
deadline comes with the signing policies. The desk knows rows and bytes; `signing/` makes the signature.
Requirement: S0.10, S3.9.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection, Row

from gateway import steps
from gateway.clock import Clock
from gateway.pool import Pool
from gateway.store import deliveries, documents
from gateway.store.engine import Store
from gateway.store.sealed import Keyring


class SigningDesk:
    def __init__(self, store: Store, keyring: Keyring, pool: Pool, clock: Clock) -> None:
        self._store = store
        self._keyring = keyring
        self._pool = pool
        self._clock = clock

    async def sign(self, row: Row[Any]) -> None:
        """Sign the renditions of a composed document and release its deliveries, in one transaction.

        Raises SigningFault; KeyUnavailable passes with time.
        """
        renditions = await self._store.read(lambda connection: documents.renditions(connection, row.id))
        signed: dict[str, steps.Signed] = {}
        for rendition in renditions:
            unsigned = self._keyring.open(rendition.body, f"{row.id}/{rendition.kind}")
            signed[rendition.kind] = await self._pool.run(steps.sign, unsigned, rendition.kind)
        await self._store.write(lambda connection: self._commit(connection, row.id, signed))

    def _commit(self, connection: Connection, document_id: str, signed: dict[str, steps.Signed]) -> None:
        now = self._clock.now()
        if not documents.move(connection, document_id, "sign", signed_at=now):
            return
        for kind, result in signed.items():
            sealed = self._keyring.seal(result.body, f"{document_id}/{kind}")
            documents.put_rendition(
                connection, document_id, kind, steps.media_type(kind), result.body, sealed, signed=True
            )
            documents.put_signature(
                connection,
                document_id,
                kind,
                sha256=result.sha256,
                signer=result.signer,
                certificate=result.certificate_sha256,
                at=now,
            )
        deliveries.move_all(connection, document_id, "ready", now)
