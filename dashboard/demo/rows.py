"""The sample's rows: as many as wanted, and the same ones on every vendor and every day.

A row is a tuple of plain values — integers, floats, text and None — written as all three vendors
read them: booleans as 0 and 1, decimals and dates as text, datetimes as text in UTC, UUIDs as 32
hexadecimal digits, JSON as text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar

from dashboard.demo import words

Value = int | float | str | None
Row = tuple[Value, ...]
Item = TypeVar("Item")

# The application that Cutover began with, when it moved: the proportions of the sample.
SEED = {"pids": 542_835, "targets": 554_311, "log_entries": 876_642}
FIRST_DAY = datetime(2006, 12, 31, 14, 5, 9, 120_000)
LAST_DAY = datetime(2016, 3, 31, 18, 17, 24)

NOID_DIGITS = "0123456789bcdfghjkmnpqrstvwxz"
NOID_LENGTH = 6


@dataclass(frozen=True)
class Size:
    """How many rows the larger tables get."""

    users: int
    domains: int
    pids: int
    targets: int
    log_entries: int

    @classmethod
    def about(cls, rows: int) -> Size:
        """A registry of about that many rows in all, in the seed's proportions."""
        users, domains = max(8, rows // 1500), max(8, rows // 1000)
        share = max(0, rows - 3 * users - 2 * domains) / sum(SEED.values())
        large = {name: max(1, round(count * share)) for name, count in SEED.items()}
        return cls(users=users, domains=domains, **large)


def noid(number: int) -> str:
    """The number's identifier: its digits shuffled, and a check character at the end.

    Multiplying by a number that has no factor in common with the modulus permutes the numbers, so
    that identifiers are unique without being counted up.  The check character is that of the NOID
    specification: the sum of each digit times its place, modulo the alphabet's prime length.
    """
    base = len(NOID_DIGITS)
    rest = (number * 322_546_387 + 174_611_189) % base**NOID_LENGTH
    digits, check = "", 0
    for place in range(NOID_LENGTH, 0, -1):
        rest, digit = divmod(rest, base)
        digits = NOID_DIGITS[digit] + digits
        check += digit * place
    return digits + NOID_DIGITS[check % base]


def pick(random: Random, items: Sequence[Item]) -> Item:
    """One of the items.  (Only `Random.random()` promises the same numbers in every Python.)"""
    return items[int(random.random() * len(items))]


def below(random: Random, limit: int) -> int:
    return int(random.random() * limit)


def moment(random: Random, since: datetime = FIRST_DAY) -> datetime:
    """Some time between `since` and the last day."""
    return since + (LAST_DAY - since) * random.random()


def timeline(random: Random, count: int) -> Iterator[datetime]:
    """Times in rising order, spread over the registry's life."""
    step = (LAST_DAY - FIRST_DAY) / max(1, count)
    for index in range(count):
        yield FIRST_DAY + step * (index + random.random())


def date(random: Random, first_year: int, years: int) -> str:
    day = datetime(first_year, 1, 1) + timedelta(days=below(random, 365 * years))
    return str(day.date())


def pid_id(index: int) -> int:
    """The key of the pid with this index.  Now and then one is missing: somebody deleted it."""
    return index + index // 97 + 1


def domain_id(index: int) -> int:
    """The key of the domain with this index.  Some domains are older than their parent."""
    return (index ^ 1) + 1


def uuid4(random: Random) -> str:
    """A random UUID that says so: MariaDB refuses some that only look like one."""
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:12]}4{digits[13:16]}a{digits[17:]}"


def title(random: Random) -> str:
    if random.random() < 0.03:
        return pick(random, words.UNTIDY)
    about = f"{pick(random, words.ADJECTIVES)} {pick(random, words.NOUNS)}"
    return f"{about} on {pick(random, words.SUBJECTS)}, {1750 + below(random, 260)}"


def external_systems() -> Iterator[Row]:
    for index, (name, key_field, url) in enumerate(words.SYSTEMS):
        options = {"timeout": 5 * index, "verify": index != 2, "tags": [name, None, {"é": 1.5}]}
        yield index + 1, name, key_field, url, json.dumps(options if index else {})


def policies(random: Random) -> Iterator[Row]:
    for index, (name, commitment) in enumerate(words.POLICIES):
        fee = f"{below(random, 20_000) / 100:.2f}" if index else "0.00"
        review = date(random, 2016, 9) if index % 2 else None
        created = str(moment(random))
        yield index + 1, name, commitment, fee, date(random, 2007, 8), review, created


def proxies() -> Iterator[Row]:
    for index, (name, transform) in enumerate(words.PROXIES):
        yield index + 1, name, transform, int(index == 0)


def users(random: Random, count: int, passwords: Sequence[str]) -> Iterator[Row]:
    """Accounts; the first ones are staff and have the given password hashes, one each."""
    for index in range(count):
        first, last = pick(random, words.FIRST_NAMES), pick(random, words.LAST_NAMES)
        known = index < len(passwords)
        password = passwords[index] if known else f"!{random.getrandbits(160):040x}"
        name = f"{noid(index + 7)}@example.org" if index % 5 == 4 else f"staff{index + 1:04}"
        joined = moment(random)
        yield (
            index + 1,
            password,
            str(moment(random, joined)) if known or random.random() < 0.6 else None,
            int(index == 0),
            name,
            first,
            last,
            f"{name.partition('@')[0]}@example.org" if index % 8 else "",
            int(known or index % 9 == 0),
            int(index % 11 != 10),
            str(joined),
        )


def domain_parent(index: int) -> int | None:
    """The index of the domain that this one lies within: sevens form a tree of three levels."""
    place = index % 7
    return index - place + (place - 1) // 2 if place else None


def domains(random: Random, count: int) -> Iterator[Row]:
    for index in range(count):
        parent = domain_parent(index)
        place = words.PLACES[index % len(words.PLACES)]
        name = f"{place} {pick(random, words.PARTS)} {index + 1}"
        policy = 1 + below(random, len(words.POLICIES)) if random.random() < 0.4 else None
        quota = below(random, 2**31) if index % 3 == 0 else None
        parent_key = None if parent is None else domain_id(parent)
        public = int(random.random() < 0.85)
        yield domain_id(index), name, parent_key, policy, public, quota, str(moment(random))


def curators(size: Size) -> Iterator[Row]:
    """Who looks after which domain: two people each, the same pair never twice."""
    key = 0
    for index in range(size.domains):
        for user in sorted({index % size.users, index * 3 % size.users}):
            key += 1
            yield key, domain_id(index), user + 1


def pids(random: Random, size: Size) -> Iterator[Row]:
    for index, created in enumerate(timeline(random, size.pids)):
        number = index * 7919
        system = 1 + index % len(words.SYSTEMS) if random.random() < 0.3 else None
        updated = moment(random, created) if random.random() < 0.4 else created
        yield (
            pid_id(index),
            noid(index),
            uuid4(random),
            title(random),
            domain_id(below(random, size.domains)),
            1 + number % size.users,
            1 + below(random, size.users),
            system,
            f"ocm{number:010}" if system else None,
            1 + number % len(words.POLICIES) if number % 3 else None,
            int(random.random() < 0.97),
            f"{below(random, 10**9) / 10_000:.4f}" if number % 4 == 0 else None,
            below(random, 2**43) if number % 5 else None,
            date(random, 2016, 60) if random.random() < 0.04 else None,
            metadata(random),
            str(created),
            str(updated),
        )


def metadata(random: Random) -> str | None:
    """A JSON document, an empty one, or none at all."""
    chance = random.random()
    if chance < 0.5:
        return None if chance < 0.3 else "{}"
    if chance < 0.52:
        note = {"note": pick(random, words.UNTIDY), "by": pick(random, words.LAST_NAMES)}
        return json.dumps(note, ensure_ascii=chance < 0.51)
    language = pick(random, words.LANGUAGES)
    return f'{{"pages": {below(random, 900)}, "language": "{language}", "scans": [1, 2.5, null]}}'


def targets(random: Random, size: Size) -> Iterator[Row]:
    """One target for each pid and, where there are more targets than pids, further ones."""
    for index in range(size.targets):
        extra, pid_index = divmod(index, size.pids)
        qualifier = words.QUALIFIERS[(extra - 1) % 6] + "+" * ((extra - 1) // 6) if extra else ""
        name, checked = noid(pid_index), random.random() < 0.8
        uri = f"https://{pick(random, HOSTS)}/{name[:2]}/{name}/{qualifier.lower()}"
        yield (
            index + 1,
            pid_id(pid_index),
            name,
            f"{uri}?title={below(random, 10**6)}&lang=caf%C3%A9" if index % 9 == 0 else uri,
            qualifier,
            1 + index % len(words.PROXIES) if index % 12 == 0 else None,
            int(random.random() < 0.95),
            str(moment(random)) if checked else None,
            pick(random, STATUS_CODES) if checked else None,
            random.random() * 3 if checked else None,
        )


HOSTS = ("digital.example.org", "www.example.org", "ojs.example.net", "dams.example.edu:8443")
STATUS_CODES = (200, 200, 200, 200, 200, 301, 302, 404, 503)


def log_entries(random: Random, size: Size, types: dict[str, int]) -> Iterator[Row]:
    """The admin's history; `types` has the content type's key of each model by its name."""
    for index, at in enumerate(timeline(random, size.log_entries)):
        chance = random.random()
        kind = "pid" if chance < 0.7 else "target" if chance < 0.96 else "domain"
        if kind == "domain":
            key = domain_id(below(random, size.domains))
            shown = f"Domain {key}"
        else:
            thing = below(random, min(size.pids, size.targets))
            key = pid_id(thing) if kind == "pid" else thing + 1
            shown = f"{noid(thing)} {title(random)}"[:200]
        action = 1 if chance < 0.4 else 3 if chance > 0.99 else 2
        change = words.CHANGES[0] if action == 1 else pick(random, words.CHANGES)
        user = 1 + below(random, size.users)
        yield index + 1, str(at), user, types[kind], str(key), shown, action, change
