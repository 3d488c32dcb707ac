import pytest

from inferencesh_core.http.bodies import is_refusal, unwrap

TASK = {"id": "t1", "status": 7}


@pytest.mark.parametrize(
    ("body", "resource"),
    [
        (TASK, TASK),
        ([TASK], [TASK]),
        (None, None),
        (True, True),
        ({"success": True, "status": 200, "data": TASK}, TASK),
        ({"success": True, "data": None}, None),
        ({"success": True, "status": 200, "data": [TASK], "messages": []}, [TASK]),
        ({"data": TASK, "messages": [{"level": "info", "code": "x", "message": "y"}]}, TASK),
        ({"data": TASK}, TASK),
    ],
)
def test_the_three_shapes_give_the_resource(body, resource):
    assert unwrap(body) == resource


@pytest.mark.parametrize(
    "body",
    [
        {"id": "ti1", "data": {"x": 1}},
        {"id": "ti1", "data": None, "messages": []},
        {"success": "yes", "data": 1},
        {"success": True, "id": "t1"},
        {"messages": []},
        {},
    ],
)
def test_a_resource_with_a_data_member_of_its_own_is_kept_whole(body):
    assert unwrap(body) is body


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"success": False, "error": {"code": "not_found"}}, True),
        ({"success": False, "data": None}, True),
        ({"success": True, "data": None}, False),
        ({"success": None}, False),
        ({"id": "t1"}, False),
        (None, False),
        ([False], False),
    ],
)
def test_a_body_may_say_that_the_call_failed(body, refused):
    assert is_refusal(body) is refused
