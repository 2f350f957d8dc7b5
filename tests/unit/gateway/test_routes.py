"""Which papers go to a destination that names none."""

from __future__ import annotations

import pytest

from connectors.destinations.insurance_portal import Settings as Portal
from gateway.settings import Route, RouteSettings
from mappings.formats.values import Secret

PORTAL = Portal("https://portal.example", "01999_BV", Secret("x"), "01999")


class Folder:
    """A destination of insurance files that is no portal, such as a province's."""

    takes = "gdbhyt"


class Axis:
    takes = "cda"


class Archive:
    takes = "pictures"


@pytest.mark.parametrize(
    ("settings", "whole_visits", "papers", "carried"),
    [
        (PORTAL, True, (), {"insurance_record", "insurance_check_in"}),
        (PORTAL, False, (), {"referral", "insurance_check_in"}),
        (PORTAL, True, ("referral",), {"referral"}),
        (Folder(), True, (), {"insurance_record"}),
        (Folder(), True, ("insurance_check_in",), {"insurance_check_in"}),
        (Axis(), True, (), {"insurance_record", "referral", "order_sheet"}),
        (Axis(), True, ("imaging_study",), set()),
        (Archive(), False, (), {"imaging_study"}),
        (Archive(), False, ("imaging_study",), {"imaging_study"}),
        (Archive(), False, ("referral",), set()),
    ],
)
def test_what_a_destination_gets(
    settings: object, whole_visits: bool, papers: tuple[str, ...], carried: set[str]
) -> None:
    route = Route("x", RouteSettings("x", papers=papers), settings, whole_visits=whole_visits)
    known = ("imaging_study", "insurance_record", "insurance_check_in", "referral", "order_sheet")
    assert {paper for paper in known if route.carries(paper)} == carried
