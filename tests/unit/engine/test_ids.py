"""The ids of tasks, chats and messages."""

import re

from inferencesh_engine import acceptance
from inferencesh_engine.acceptance import new_id


def test_ids_look_like_those_of_the_service_and_differ():
    ids = [new_id() for _ in range(2000)]
    assert all(re.fullmatch("[0-9a-z]{26}", each) for each in ids)
    assert len(set(ids)) == 2000


def test_ids_of_one_second_stand_side_by_side_and_the_next_second_follows(monkeypatch):
    ids = []
    for at in (7.0, 7.9, 8.0):
        monkeypatch.setattr(acceptance.time, "time", lambda at=at: at)
        ids.append(new_id())
    assert [each[:3] for each in ids] == ["007", "007", "008"]
