"""Adds up a fee note's XML anew: every amount from the tariff, every total from the amounts, in decimals.

usage: judge_totals.py DOCUMENT TARIFF [LINE=AMOUNT…]     LINE=AMOUNT: typed over the tariff, as in 3=99.90
prints SUBTOTAL TO_PAY
"""
import json
import sys
from decimal import Decimal

from lxml import etree

document_file, tariff_file, *overridden = sys.argv[1:]
typed = {int(line): Decimal(amount) for line, amount in (entry.split("=") for entry in overridden)}
tariff = {entry["code"]: entry.get("prices", []) for entry in json.load(open(tariff_file))["codes"]}
root = etree.parse(document_file, etree.XMLParser(resolve_entities=False, no_network=True)).getroot()
assert root.tag == "{http://www.secu.lu/ciss/cns}memoireHonoraire"
assert not any(element.tag.startswith("{") for element in root.iterdescendants("*")), "only the root is qualified"


def money(element, path):
    text = element.findtext(path)
    if text is None:
        return None
    assert len(text.split(".")) == 2 and len(text.split(".")[1]) == 2, f"{path}: {text}"
    return Decimal(text)


def price(code, day):
    found = [p["cents"] for p in tariff[code] if p["from"] <= day <= p.get("until", "9999-12-31")]
    return Decimal(found[-1]) / 100


total = Decimal(0)
lines = root.findall("prestation")
assert [line.findtext("numeroLigne") for line in lines] == [str(number) for number in range(1, len(lines) + 1)]
for number, line in enumerate(lines, start=1):
    amount = money(line, "montantBrut")
    wanted = typed.get(number)
    if wanted is None:
        wanted = price(line.findtext("acte/codeActe"), line.findtext("periode/dateDebut")) * int(line.findtext("nombre"))
    assert amount == wanted, f"line {number}: {amount} instead of {wanted}"
    total += amount

payment = root.find("paiement")
subtotal, due = money(payment, "sousTotal"), money(payment, "aPayer")
assert subtotal == total, f"sousTotal {subtotal} instead of {total}"
expected = total + (money(payment, "report") or 0) - (money(payment, "acompteADeduire") or 0)
assert due == expected, f"aPayer {due} instead of {expected}"
assert payment.findtext("devise") == "EUR"
print(subtotal, due)
