from typing import Any

from tests.contract.test_examples import example
from wicket.server.basket import MAX_WAITING_BYTES, Basket
from wicket.supervisor.messages import Examples


def test_everything_goes_as_one_message() -> None:
    basket, sent = Basket(), []
    assert not basket.is_filled
    basket.put(example())
    basket.put("refused")
    assert basket.is_filled
    basket.hand_over(lambda message: sent.append(message) is None)
    assert sent == [Examples([example()], {"refused": 1})] and not basket.is_filled


def test_what_is_too_much_or_refused_is_counted_and_the_count_is_not_lost() -> None:
    basket, sent = Basket(), []
    half = example(request=b"x" * (MAX_WAITING_BYTES // 2))
    for _ in range(3):
        basket.put(half)
    basket.put("unfit")

    def refuse(message: Any) -> bool:
        return False

    basket.hand_over(refuse)
    assert basket.is_filled
    basket.hand_over(lambda message: sent.append(message) is None)
    (message,) = sent
    assert message.examples == [] and message.left_out == {"congested": 3, "unfit": 1}
