"""Numbers that carry check digits, made up with right ones: each rule is computed here, after its own standard."""

import random
from collections.abc import Callable

_DIGITS = "0123456789"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choice(_DIGITS) for _ in range(count))


def mod_97_10(text: str) -> str:
    """The two check digits of ISO 7064 MOD 97-10 over `text` followed by them; letters count as 10 to 35."""
    number = "".join(str(int(character, 36)) for character in f"{text}00")
    return f"{98 - int(number) % 97:02d}"


def iban(rng: random.Random, country: str, bank: str | None = None) -> str:
    """An IBAN with right check digits (ISO 13616) and, where the country has them, right national ones.

    `bank` replaces the bank's code where one is asked for (Switzerland: five digits).
    """
    account = _ACCOUNTS[country](rng)
    if bank is not None:
        account = bank + account[len(bank) :]
    return f"{country}{mod_97_10(account + country)}{account}"


def qr_iban(rng: random.Random, country: str) -> str:
    """A Swiss or Liechtenstein IBAN whose bank code lies in 30000 to 31999, which calls for a QR reference."""
    return iban(rng, country, f"3{rng.choice('01')}{digits(rng, 3)}")


def with_wrong_check_digits(rng: random.Random, right: str) -> str:
    wrong = (int(right[2:4]) - 2 + rng.randrange(1, 97)) % 97 + 2
    return f"{right[:2]}{wrong:02d}{right[4:]}"


def _french_account(rng: random.Random) -> str:
    """RIB: bank 5, branch 5, account 11, key = 97 - (89 b + 15 g + 3 c) mod 97."""
    bank, branch, account = digits(rng, 5), digits(rng, 5), digits(rng, 11)
    key = 97 - (89 * int(bank) + 15 * int(branch) + 3 * int(account)) % 97
    return f"{bank}{branch}{account}{key:02d}"


def _belgian_account(rng: random.Random) -> str:
    """Three digits of a bank that the register knows, seven more, then the remainder by 97, or 97 where it is 0."""
    body = rng.choice(("001", "310", "363", "733")) + digits(rng, 7)
    return f"{body}{int(body) % 97 or 97:02d}"


def _spanish_account(rng: random.Random) -> str:
    """CCC: bank 4, branch 4, two control digits (weights 1 2 4 8 5 10 9 7 3 6, MOD 11), account 10."""
    bank, branch, account = digits(rng, 4), digits(rng, 4), digits(rng, 10)
    return f"{bank}{branch}{_spanish_control('00' + bank + branch)}{_spanish_control(account)}{account}"


def _spanish_control(ten: str) -> str:
    weighed = sum(int(digit) * weight for digit, weight in zip(ten, (1, 2, 4, 8, 5, 10, 9, 7, 3, 6), strict=True))
    control = 11 - weighed % 11
    return {10: "1", 11: "0"}.get(control, str(control))


_ACCOUNTS: dict[str, Callable[[random.Random], str]] = {
    # 08xxx and 09xxx: codes of Swiss clearing that do not mean a QR-IBAN.
    "CH": lambda rng: f"0{rng.choice('89')}{digits(rng, 15)}",
    "LI": lambda rng: f"08{digits(rng, 15)}",
    "DE": lambda rng: f"{rng.choice('1234567')}{digits(rng, 17)}",
    "AT": lambda rng: f"{rng.choice('1234')}{digits(rng, 15)}",
    "LU": lambda rng: digits(rng, 16),
    "FR": _french_account,
    "BE": _belgian_account,
    "ES": _spanish_account,
    "GB": lambda rng: f"{''.join(rng.choice(_LETTERS) for _ in range(4))}{digits(rng, 14)}",
    "IE": lambda rng: f"{''.join(rng.choice(_LETTERS) for _ in range(4))}{digits(rng, 14)}",
}
ACCOUNT_COUNTRIES = tuple(_ACCOUNTS)


def lei(rng: random.Random) -> str:
    """A legal entity identifier (ISO 17442): 18 characters and MOD 97-10."""
    body = f"{digits(rng, 4)}00{''.join(rng.choice(_DIGITS + _LETTERS) for _ in range(12))}"
    return f"{body}{mod_97_10(body)}"


def qr_reference(rng: random.Random) -> str:
    """27 digits of a Swiss QR reference, the last by MOD 10 recursive."""
    body = f"{digits(rng, 6).lstrip('0') or '1'}".rjust(26, "0") if rng.random() < 0.3 else digits(rng, 26)
    return body + _recursive_mod_10(body)


def _recursive_mod_10(body: str) -> str:
    table, carry = (0, 9, 4, 6, 8, 2, 7, 1, 3, 5), 0
    for digit in body:
        carry = table[(carry + int(digit)) % 10]
    return str((10 - carry) % 10)


def creditor_reference(rng: random.Random) -> str:
    """RF, two check digits, up to 21 characters (ISO 11649)."""
    body = digits(rng, rng.choice((9, 12, 16)))
    return f"RF{mod_97_10(body + 'RF')}{body}"


def swiss_uid(rng: random.Random) -> str:
    """CHE-123.456.78x; the last digit by weights 5 4 3 2 7 6 5 4, MOD 11; never 10."""
    while True:
        body = f"{rng.randint(100, 499)}{digits(rng, 5)}"
        weighed = sum(int(digit) * weight for digit, weight in zip(body, (5, 4, 3, 2, 7, 6, 5, 4), strict=True))
        check = (11 - weighed % 11) % 11
        if check < 10:
            return f"CHE-{body[:3]}.{body[3:6]}.{body[6:]}{check}"


def luhn(body: str) -> str:
    total = 0
    for position, digit in enumerate(reversed(body)):
        doubled = int(digit) * (2 if position % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def siren(rng: random.Random) -> str:
    body = f"{rng.randint(3, 8)}{digits(rng, 7)}"
    return body + luhn(body)


def spanish_nif(rng: random.Random) -> str:
    """A person's: eight digits and the letter of their remainder by 23."""
    body = digits(rng, 8)
    return body + "TRWAGMYFPDXBNJZSQVHLCKE"[int(body) % 23]


def spanish_cif(rng: random.Random) -> str:
    """A company's: letter B, seven digits, control digit (Luhn)."""
    body = f"{rng.choice('2345678')}{digits(rng, 6)}"
    return f"B{body}{luhn(body)}"


def _german_vat(rng: random.Random) -> str:
    """Nine digits, the last by ISO 7064 MOD 11,10."""
    body, product = f"{rng.randint(1, 9)}{digits(rng, 7)}", 10
    for digit in body:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return f"DE{body}{(11 - product) % 10}"


def _austrian_vat(rng: random.Random) -> str:
    body, total = digits(rng, 7), 4
    for position, digit in enumerate(body):
        doubled = int(digit) * (1 if position % 2 == 0 else 2)
        total += doubled // 10 + doubled % 10
    return f"ATU{body}{-total % 10}"


def _french_vat(rng: random.Random) -> str:
    number = siren(rng)
    return f"FR{(12 + 3 * (int(number) % 97)) % 97:02d}{number}"


def _belgian_vat(rng: random.Random) -> str:
    body = f"0{rng.randint(4, 7)}{digits(rng, 6)}"
    return f"BE{body}{97 - int(body) % 97:02d}"


def _british_vat(rng: random.Random) -> str:
    body = f"{rng.randint(2, 8)}{digits(rng, 6)}"
    weighed = sum(int(digit) * weight for digit, weight in zip(body, range(8, 1, -1), strict=True))
    return f"GB{body}{97 - weighed % 97:02d}"


def _irish_vat(rng: random.Random) -> str:
    body = digits(rng, 7)
    weighed = sum(int(digit) * weight for digit, weight in zip(body, range(8, 1, -1), strict=True))
    return f"IE{body}{'WABCDEFGHIJKLMNOPQRSTUV'[weighed % 23]}"


def _luxembourg_vat(rng: random.Random) -> str:
    body = f"{rng.randint(1, 2)}{digits(rng, 5)}"
    return f"LU{body}{int(body) % 89:02d}"


_VAT: dict[str, Callable[[random.Random], str]] = {
    "CH": lambda rng: f"{swiss_uid(rng)} MWST",
    "DE": _german_vat,
    "AT": _austrian_vat,
    "FR": _french_vat,
    "BE": _belgian_vat,
    "LU": _luxembourg_vat,
    "ES": lambda rng: f"ES{spanish_cif(rng)}",
    "GB": _british_vat,
    "IE": _irish_vat,
}


def vat(rng: random.Random, country: str) -> str | None:
    """A company's number for value added tax as it is printed; None where the country has none."""
    make = _VAT.get(country)
    return make(rng) if make else None
