"""How the register speaks: certificates and events as JSON for programs, and their Vietnamese words."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy.engine import Row

from gateway.certificates.roles import ROLES
from gateway.clock import iso, moment

__all__ = ["EVENTS", "INCIDENTS", "ROLES", "STATES", "event_dict", "shown", "summary"]

STATES = {
    "requested": "đã đề nghị",
    "approved": "đã duyệt",
    "issued": "đã cấp",
    "handed_over": "đã bàn giao",
    "active": "đang dùng",
    "suspended": "tạm ngừng",
    "revoked": "đã thu hồi",
    "expired": "hết hạn",
    "rejected": "bị từ chối",
}
EVENTS = {
    "enrol": "thêm người giữ",
    "change": "sửa thông tin",
    "left": "rời danh sách",
    "back": "trở lại danh sách",
    "propose": "đề nghị thu hồi",
    "request": "đề nghị cấp",
    "approve": "duyệt",
    "reject": "từ chối",
    "issue": "gắn chứng thư",
    "hand_over": "bàn giao",
    "device": "sửa số thiết bị",
    "other_device": "ký từ thiết bị khác",
    "commit": "ký cam kết",
    "activate": "kích hoạt",
    "suspend": "tạm ngừng",
    "resume": "dùng lại",
    "revoke": "thu hồi",
    "expire": "hết hạn",
    "incident": "sự cố",
    "settle": "kết thúc sự cố",
}
INCIDENTS = {
    "pin_forgotten": "quên mã PIN",
    "locked": "thiết bị bị khóa",
    "lost": "mất thiết bị",
    "exposed": "nghi lộ khóa",
    "damaged": "thiết bị hỏng",
    "other": "khác",
}


def summary(row: Row[Any]) -> dict[str, Any]:
    """Describe a certificate with its holder, without personal numbers."""
    return {
        "id": row.id,
        "holder": {
            "code": row.holder_code,
            "name": row.holder_name,
            "kind": row.holder_kind,
            "department": row.holder_department,
            "roles": row.holder_roles.split(),
        },
        **shown(row),
    }


def shown(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": row.state,
        "state_since": iso(row.state_since),
        "requested_at": iso(row.requested_at),
        "replaces": row.replaces_id,
        "serial": row.serial,
        "issuer": row.issuer,
        "sha256": row.sha256,
        "not_before": iso(row.not_before),
        "not_after": iso(row.not_after),
        "provider": row.provider,
        "device": {"kind": row.device_kind, "serial": row.device_serial},
        "key": {"kind": row.key_kind, "name": row.key_name},
        "handover": {"on": row.handed_over_on or None, "handed_by": row.handed_by, "received_by": row.received_by},
        "revoked_at": iso(row.revoked_at),
        "proposal": row.proposal,
    }


def event_dict(event: Row[Any]) -> dict[str, Any]:
    return {
        "id": event.id,
        "at": iso(event.at),
        "at_local": moment(event.at),
        "effective_at": iso(event.effective_at),
        "actor": event.actor,
        "event": event.event,
        "state": event.state,
        "reason": event.reason,
        "certificate": event.certificate_id,
        "facts": msgspec.json.decode(event.facts),
    }
