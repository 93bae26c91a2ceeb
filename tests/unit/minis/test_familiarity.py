"""How like the training requests a request is."""

from wicket.minis.familiarity import MAX_CHARACTERS, Familiarity, familiarity, learn

ENGLISH = [
    "we will require an outside table to seat nine people on august",
    "do you have room for eleven of us tonight",
    "i would like to book a table for two at seven",
    "is there a table for the four of us on sunday evening",
]


def test_training_texts_are_more_familiar_than_another_language() -> None:
    learnt = learn(ENGLISH * 10)
    own = familiarity(learnt, "a table for six people on sunday")
    other = familiarity(learnt, "ich hätte gern einen Tisch für sechs Personen am Sonntag")
    gibberish = familiarity(learnt, "xqz jjk 0x7f ///")
    assert own > other + 2 and own > gibberish + 2


def test_nothing_learnt_and_odd_texts() -> None:
    assert familiarity(Familiarity(), "anything") == 0.0
    learnt = learn(ENGLISH)
    assert familiarity(learnt, "") <= 0.0
    assert familiarity(learnt, "\U0001f9a9\u0000\ud800") < 0.0
    assert familiarity(learnt, "a " * 10_000) == familiarity(learnt, "a " * (MAX_CHARACTERS // 2))
