"""Goal: no company's uploads leave another's without room, and all hold no more than there is. Method: by hand."""

from uuid import UUID

import pytest

from ecosystem.services.creditx.errors import UploadsBusy
from ecosystem.services.creditx.receiving.room import Room

A, B = UUID(int=1), UUID(int=2)


def test_one_company_fills_half_of_it_and_a_second_gets_a_third_of_the_rest() -> None:
    room = Room(1200)
    with room.upload(A) as first, room.upload(A) as second, room.upload(B) as other:
        first(500)
        second(100)
        with pytest.raises(UploadsBusy):
            second(1)
        other(300)
        with pytest.raises(UploadsBusy):
            other(1)
        # The end of a body that has arrived takes nothing.
        second(0)


def test_what_has_ended_leaves_its_room_to_others() -> None:
    room = Room(1200)
    with room.upload(A) as first:
        with room.upload(A) as second:
            second(500)
            with pytest.raises(UploadsBusy):
                first(600)
        first(600)
        with room.upload(B) as other:
            other(300)


def test_an_upload_that_is_alone_may_always_grow() -> None:
    room = Room(100)
    with room.upload(A) as first:
        first(60)
        first(600)
        with room.upload(B) as other, pytest.raises(UploadsBusy):
            other(1)
