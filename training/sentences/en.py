"""Sentences of daily dictation in English, and codes: letters and numbers alone; numbers are written as said."""

from collections.abc import Callable, Iterator

import numpy as np

from training.sentences import distinct, pick

Rng = np.random.Generator

NAMES = "Anna James Maria David Sarah Michael Laura Robert Emma Daniel Olivia Thomas Sofia Peter Grace Henry".split()
PLACES = (
    "London,Paris,New York,Tokyo,Berlin,Chicago,Madrid,Sydney,Toronto,Boston,Oxford,Dublin,Rome,San Francisco,Seattle,"
    "the airport,the station,the office,the library,the hospital,the bank,the harbour,the main square,the north gate"
).split(",")
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
WHENS = "today,tomorrow,tonight,this morning,next week,last month,last night,on the weekend,in an hour".split(",")
THINGS = (
    "report,invoice,password,keyboard,window,ticket,camera,letter,contract,printer,umbrella,message,screen,battery,"
    "calendar,document,phone number,address,key,photograph,microphone,recording,schedule,spreadsheet,wallet"
).split(",")
FOODS = "coffee,green tea,bread,rice,soup,a sandwich,chicken,apples,milk,cheese,noodles,eggs,salad,water".split(",")
DEVICES = "lights,heating,radio,television,music,alarm,kitchen light,fan,timer,speaker,recording,microphone".split(",")
SKIES = "sunny,cloudy,rainy,windy,foggy,cold,warm and dry,stormy,snowy in the hills,mostly clear".split(",")
TOPICS = "the budget,the new product,hiring,safety,the contract,the schedule,feedback,the test results".split(",")
UNITS = "dollars,euros,minutes,kilometres,percent,degrees,people,pages,hours,boxes,litres,metres,grams".split(",")
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
LETTERS = "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z".split()


def spelled(number: int) -> str:
    """In words, up to a million."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10 - 2] + (f" {ONES[number % 10]}" if number % 10 else "")
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = number % size
            joint = " and " if name == "hundred" else " "
            return f"{spelled(number // size)} {name}" + (joint + spelled(rest) if rest else "")
    raise AssertionError(number)


def number(rng: Rng) -> str:
    return spelled(int(10 ** rng.uniform(0, rng.choice([1.0, 2.0, 3.0, 5.0]))))


def ordinal(rng: Rng) -> str:
    day = int(rng.integers(1, 32))
    if day <= 20:
        return ORDINALS[day - 1]
    return "thirtieth" if day == 30 else f"{TENS[day // 10 - 2]} {ORDINALS[day % 10 - 1]}"


def say(rng: Rng, *parts: str | list[str], end: str = ".") -> str:
    """A sentence of these parts; of a list, one of its words."""
    words = [part if isinstance(part, str) else pick(part, rng) for part in parts]
    return " ".join(word for word in words if word) + end


def clock(rng: Rng) -> str:
    hour, minute = ONES[int(rng.integers(1, 13))], spelled(int(rng.integers(10, 60)))
    said = [f"quarter past {hour}", f"half past {hour}", f"{hour} o'clock", f"{hour} {minute}"]
    return say(rng, said, ["", "in the morning", "in the evening", "p m", "a m"], end="")


def date(rng: Rng) -> str:
    return pick([f"{pick(MONTHS, rng)} {ordinal(rng)}", f"the {ordinal(rng)} of {pick(MONTHS, rng)}"], rng)


def counted(rng: Rng) -> str:
    return say(rng, ["There are", "It was about", "We need", "That makes", "I counted"], number(rng), UNITS)


def digits(rng: Rng) -> str:
    said = [ONES[int(n)] for n in rng.integers(10, size=int(rng.integers(3, 9)))]
    return say(rng, ["My number is", "The code is", "Please dial", "Room"], *said)


def letters(rng: Rng) -> str:
    said = [LETTERS] * int(rng.integers(2, 7))
    return say(rng, ["Spell it", "The reference is", "My name is spelled", "Enter"], *said)


def appointment(rng: Rng) -> str:
    acts = ["Let's meet", "The train leaves", "Dinner is", "I will be there", "Please call me", "We are leaving"]
    day = pick([pick(DAYS, rng), date(rng)], rng)
    return say(rng, acts, "on", day, "at", clock(rng), ["near", "at", "in"], PLACES)


def weather(rng: Rng) -> str:
    if rng.random() < 0.5:
        return say(rng, "It will be", SKIES, "in", PLACES, WHENS)
    degrees = spelled(int(rng.integers(2, 40)))
    return say(rng, "The temperature is", ["", "minus"], degrees, "degrees", WHENS)


def meeting(rng: Rng) -> str:
    acts = ["can we talk about", "let's move on to", "please summarise", "we postponed", "any questions about"]
    return say(rng, f"{pick(NAMES, rng)},", acts, TOPICS, ["", "first", "later", "again", "with everyone"])


def command(rng: Rng) -> str:
    acts = ["turn on", "turn off", "start", "stop", "pause", "check", "turn up", "turn down"]
    return say(rng, ["Please", "", "Could you"], acts, "the", DEVICES, ["", "now", "in ten minutes", "please"])


def request(rng: Rng) -> str:
    acts = ["send me", "print", "look for", "bring", "delete", "save", "sign", "copy", "return", "share", "open"]
    asks = ["Could you", "Please", "Would you", "I forgot to", "We have to"]
    return say(rng, asks, acts, "the", THINGS, WHENS)


def meal(rng: Rng) -> str:
    acts = ["I would like", "We ordered", "She made", "They are out of", "He always has", "Do you want", "I bought"]
    return say(rng, acts, FOODS, ["and", "with", "or"], FOODS, "for", ["breakfast", "lunch", "dinner"])


def trip(rng: Rng) -> str:
    acts = ["went", "are going", "came back", "will travel", "walked", "used to drive"]
    by = ["train", "bus", "car", "plane", "bicycle", "boat", "taxi"]
    return say(rng, ["We", "They", "My parents", "The children"], acts, "from", PLACES, "to", PLACES, "by", by)


def question(rng: Rng) -> str:
    asks = ["Where is the", "Who has the", "When will you finish the", "How much was the", "Is this your"]
    return say(rng, asks, THINGS, ["", "from " + pick(NAMES, rng)], end="?")


SHORT = (
    "Yes.,No.,Thank you.,Good morning.,Good night.,See you tomorrow.,Of course.,I don't know.,That's right.,Excuse me.,"
    "Wait a moment.,Please repeat that.,Hello.,Goodbye.,I'm sorry.,You're welcome.,Let's go.,Help.,Not yet.,It's fine."
).split(",")


def short(rng: Rng) -> str:
    return pick(SHORT, rng)


MAKERS: tuple[Callable[[Rng], str], ...] = (
    counted, digits, letters, appointment, appointment, weather, meeting, command, request, request, meal, trip,
    question, short,
)  # fmt: skip


def sentences(count: int, rng: Rng) -> Iterator[str]:
    return distinct(MAKERS, count, rng)


def digit_code(rng: Rng) -> str:
    """One digit, or a telephone number; zero is as often called oh."""
    return " ".join(pick([*ONES[:10], "oh"], rng) for _ in range(int(rng.choice([1, 1, 2, 3, 4, 5, 7, 10]))))


def letter_code(rng: Rng) -> str:
    """A name, or any letters."""
    name = pick([*NAMES, *DAYS, *(place for place in PLACES if place.isalpha())], rng).upper()
    return " ".join(pick([name, "".join(pick(LETTERS, rng) for _ in range(int(rng.integers(2, 7))))], rng))


def pair_code(rng: Rng) -> str:
    """Two digits at a time, as years and house numbers are said."""
    pairs = [spelled(int(rng.integers(10, 100))) for _ in range(int(rng.integers(1, 3)))]
    return " ".join([spelled(int(rng.integers(1, 20))), *pairs])


def date_code(rng: Rng) -> str:
    return f"{date(rng)} {pick(['nineteen', 'twenty'], rng)} {spelled(int(rng.integers(10, 100)))}"


def mixed_code(rng: Rng) -> str:
    letters = " ".join(pick(LETTERS, rng) for _ in range(int(rng.integers(2, 6))))
    numbers = [digit_code(rng), pair_code(rng), number(rng)]
    return say(rng, ["", "Enter", "Erase", "Repeat"], letters, numbers, end="")


WORDS = "yes no stop start go help repeat enter erase".split()


def word_code(rng: Rng) -> str:
    return pick(WORDS, rng)


CODES: tuple[Callable[[Rng], str], ...] = (
    digit_code, digit_code, digit_code, letter_code, letter_code, pair_code, date_code, mixed_code, mixed_code,
    word_code,
)  # fmt: skip


def codes(count: int, rng: Rng) -> Iterator[str]:
    """Any may come again: somebody else says it."""
    for _ in range(count):
        said = CODES[int(rng.integers(len(CODES)))](rng)
        yield f"{said[0].upper()}{said[1:]}."
