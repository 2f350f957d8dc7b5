"""Hold the answer codes of the published lists with their Vietnamese texts."""

from __future__ import annotations

from typing import Final

PORTAL: Final = {
    "200": "Thành công",
    "401": "Sai tài khoản/mật khẩu hoặc token",
    "402": "Cơ sở KCB không đúng",
    "403": "Không có quyền",
    "500": "Lỗi hệ thống",
    "123": "Tệp chưa ký số",
    "124": "Lỗi nội dung XML",
    "125": "Chữ ký sai, tệp có thể đã bị sửa",
    "202": "Lỗi định dạng/nội dung XML",
    "204": "Lỗi định dạng/nội dung XML",
    "205": "Tham số/định dạng sai",
    "1001": "Kích thước tệp vượt quy định",
}
"""`maKetQua` of a submission to the insurance portal. Not the codes of card look-up, which reuse the same numbers."""

AXIS: Final = {
    "CM_SUCCESS": "Thành công",
    "PS_SYNC_SUCCESS": "Đồng bộ thành công",
    "PS_DS_VERIFY_SUCCESS": "Kiểm tra chữ ký/dữ liệu thành công",
    "PS_DS_SAVE_SUCCESS": "Lưu dữ liệu thành công",
    "CM_INVALID_REQUEST": "Yêu cầu không hợp lệ",
    "PS_SIGNATURE_INVALID": "Chữ ký gói tin không hợp lệ",
    "PS_DS_RSA_SIGNATURE_INVALID": "Chữ ký RSA không hợp lệ",
    "PS_DS_RSA_SIGNATURE_MISSING": "Thiếu chữ ký RSA",
    "PS_DS_CA_SIGNATURE_INVALID": "Chữ ký số (CA) không hợp lệ",
    "PS_DS_CA_SIGNATURE_MISSING": "Thiếu chữ ký số (CA)",
    "PS_DS_VERIFY_FAIL": "Kiểm tra dữ liệu thất bại",
    "PS_CCCD_DUPLICATE_IN_6_MONTHS": "Trùng số CCCD trong 6 tháng",
    "PS_DS_SAVE_FAIL": "Lưu dữ liệu thất bại",
    "CM_AUTH_ACCOUNT_FAIL": "Xác thực tài khoản thất bại",
    "CM_SYSTEM_ERROR": "Lỗi hệ thống",
    "HOC_BYT_FORWARD_PAUSED": "Cổng tỉnh tạm dừng chuyển lên Bộ (HTTP 202)",
    "HOC_BYT_TIMEOUT": "Quá thời gian chờ Bộ Y tế (HTTP 504)",
    "HOC_SIGNING_UNAVAILABLE": "Dịch vụ ký không sẵn sàng (HTTP 503)",
}
"""`res_code` of the MoH axis and of the provincial axes of the same shape."""

COORDINATION: Final = {
    "UNAUTHENTICATED": "Chưa xác thực hoặc token hết hạn",
    "BAD_REQUEST": "Yêu cầu thiếu thông tin hoặc sai định dạng",
    "KEY_REUSED": "Khóa đã dùng cho một văn bản khác",
    "UNSUPPORTED_MEDIA_TYPE": "Chỉ nhận application/xml",
    "DIGEST_MISMATCH": "Nội dung không khớp với giá trị băm đã khai",
    "SENDER_MISMATCH": "Cơ sở gửi không khớp với tài khoản",
    "NOT_A_DOCUMENT": "Nội dung không phải là văn bản CDA",
    "SIGNATURE_MISSING": "Văn bản chưa được ký số",
    "SIGNATURE_INVALID": "Chữ ký số không hợp lệ hoặc văn bản đã bị sửa",
    "DOCUMENT_REFUSED": "Văn bản bị từ chối",
    "NOT_FOUND": "Chưa nhận được văn bản này",
}
"""`code` of the coordination system. Ours: nothing is published."""

OCSP_ERRORS: Final = {
    "malformedRequest": "malformed_request",
    "internalError": "internal_error",
    "tryLater": "try_later",
    "sigRequired": "sign_required",
    "unauthorized": "unauthorized",
}
"""OCSPResponseStatus, and what asn1crypto calls it. Standard: RFC 6960 §4.2.1"""

TSA_FAILURES: Final = {
    "badAlg": "bad_alg",
    "badRequest": "bad_request",
    "badDataFormat": "bad_data_format",
    "timeNotAvailable": "time_not_available",
    "unacceptedPolicy": "unaccepted_policy",
    "unacceptedExtension": "unaccepted_extensions",
    "addInfoNotAvailable": "add_info_not_available",
    "systemFailure": "system_failure",
}
"""PKIFailureInfo, and what asn1crypto calls it. Standard: RFC 3161 §2.4.2"""

CSC_ERRORS: Final = {
    "bad_header": (400, "invalid_request", "Malformed authorization header"),
    "invalid_token": (401, "invalid_token", "The access token is not valid"),
    "expired_token": (401, "expired_token", "The access token is expired or has been revoked"),
    "sad_expired": (400, "invalid_request", "SAD expired"),
    "invalid_sad": (400, "invalid_request", "Invalid parameter SAD"),
    "hash_not_authorized": (400, "invalid_request", "Hash is not authorized by the SAD"),
    "too_many_signatures": (400, "invalid_request", "Numbers of signatures is too high"),
    "invalid_otp": (400, "invalid_otp", "The OTP is invalid"),
    "invalid_authentication_data": (400, "invalid_authentication_data", "The authentication data is invalid"),
    "credential_locked": (400, "invalid_request", "Credential locked"),
    "credential_disabled": (400, "invalid_request", "The credential identified by credentialID is disabled"),
    "certificate_expired": (400, "invalid_request", "Signing certificate is expired"),
    "server_error": (500, "server_error", "Internal server error"),
    "temporarily_unavailable": (503, "temporarily_unavailable", "Temporarily unavailable"),
}
"""HTTP status, error and description under the names the fault plan has for them. Standard: CSC API v2.0 §10.2, §11"""

REFUSALS: Final = {
    "ocsp": frozenset(OCSP_ERRORS),
    "crl": frozenset[str](),
    "tsa": frozenset(TSA_FAILURES),
    "csc": frozenset(CSC_ERRORS),
}
"""What `refuse` can answer at the trust services."""

DISTORTIONS: Final = {
    "ocsp": frozenset(
        {
            "revoked_yesterday",
            "unknown",
            "stale",
            "no_next_update",
            "other_certificate",
            "wrong_signer",
            "not_delegated",
            "bad_signature",
            "wrong_nonce",
            "no_nonce",
            "malformed",
        }
    ),
    "crl": frozenset({"stale", "wrong_issuer", "wrong_signer", "bad_signature", "huge", "malformed"}),
    "tsa": frozenset(
        {
            "wrong_nonce",
            "no_nonce",
            "wrong_imprint",
            "wrong_policy",
            "wrong_signer",
            "wrong_purpose",
            "expired_certificate",
            "no_certificate",
            "granted_with_mods",
            "yesterday",
            "bad_signature",
            "malformed",
        }
    ),
    "csc": frozenset({"partial_batch", "swapped", "wrong_key", "bad_signature"}),
}
"""In which ways a trust service can be made to answer wrongly."""
