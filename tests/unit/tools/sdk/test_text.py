# ruff: noqa: RUF001 - letters of all scripts are the point
"""The encoding of bytes: what they are, whatever is declared."""

from __future__ import annotations

import pytest

from docfleet.tools.sdk.text import codec_of, decode_text, encoding_of

SHORT = {
    "cp1252": [
        "Größe: 5 m",
        "Betrag: 5 €",
        "Réglée le 5 février, à l'échéance prévue.",
        "Señor Núñez: la dirección está aquí.",
        "Não há devolução após a emissão.",
        "Il totale è di 50 €",
        "Beløb: 5 kr",
        "Määrä: 5",
        "“Quoted” text — it’s 5 €",
        "Total: £5, café",
    ],
    "cp1250": ["Faktura za usługi: kwota do zapłaty", "Příjemce: Dvořák", "Račun št. 5"],
    "koi8-r": ["Счёт на оплату", "Привет, мир", "Спасибо за покупку! Ждём вас снова."],
    "koi8-u": ["Рахунок на оплату", "Київ, вулиця Хрещатик 5"],
    "cp1251": ["Счёт на оплату", "Фактура", "Рахунок на оплату"],
    "cp866": ["Счёт на оплату", "Привет, мир"],
    "iso-8859-5": ["Счёт на оплату", "Привет, мир"],
    "cp1253": ["Σύνολο πληρωμής: 500"],
    "cp1254": ["Lütfen faturayı vadesinde ödeyiniz. İyi günler"],
    "cp1255": ["אנא שלמו את החשבונית"],
    "cp1256": ["المبلغ الإجمالي: 500"],
    "cp932": ["合計金額は五百円です。"],
    "gbk": ["请在到期日之前付款，谢谢合作。"],
    "big5": ["請在到期日之前付款，謝謝合作。"],
    "euc_kr": ["총 금액은 오백 원입니다."],
    "iso-8859-15": ["Rechnung für Müller: 120,00 €"],
    "cp850": ["Größe: 5 m", "Condição de pagamento", "Señor Núñez"],
    "mac_roman": ["Réglée le 5 février, à l'échéance prévue."],
    "iso2022_jp": ["請求書"],
    "utf-16-le": ["Счёт на оплату", "Größe: 5 m", "Σύνολο πληρωμής"],
    "utf-16-be": ["Счёт на оплату"],
}


@pytest.mark.parametrize(("encoding", "text"), [(name, text) for name, texts in SHORT.items() for text in texts])
def test_short_texts_of_code_pages(encoding: str, text: str) -> None:
    assert decode_text(text.encode(encoding)) == text


@pytest.mark.parametrize(
    "text", ["Größe für Müller – schöne Grüße.", "Счёт на оплату", "請求書です。", "Réglée le 5 février"]
)
def test_utf8_with_a_bad_byte_stays_utf8(text: str) -> None:
    assert decode_text(text.encode() + b" \xff end") == f"{text} \ufffd end"


@pytest.mark.parametrize("text", ["Größe für Mü", "Счёт на о", "請求書で", "Betrag 5 €, Maß 5 €"])
def test_utf8_that_is_cut_within_a_letter_stays_utf8(text: str) -> None:
    assert decode_text(text.encode()[:-1]) == text[:-1] + "\ufffd"


def test_a_last_letter_of_a_code_page_is_no_cut_sequence() -> None:
    assert decode_text("voilà".encode("cp1252")) == "voilà"


def test_the_code_page_is_judged_by_the_whole_text() -> None:
    text = "plain line of the log\n" * 20_000 + "Schluss für Müller\n"
    assert decode_text(text.encode("cp1252")) == text


@pytest.mark.parametrize(
    ("declared", "content", "text"),
    [
        ("iso-8859-1", b"\x80 5 \x93ok\x94", "€ 5 “ok”"),
        ("us-ascii", b"\x80 5", "€ 5"),
        ("latin1", "Größe".encode(), "Größe"),
        ("utf-8", "Größe für Müller".encode("cp1252"), "Größe für Müller"),
        ("iso-8859-9", b"\x80 5 \xfe\xfd", "€ 5 şı"),
        ("gb2312", "镕基€".encode("gb18030"), "镕基€"),
        ("shift_jis", "①髙".encode("cp932"), "①髙"),
        ("ks_c_5601-1987", "똠방".encode("cp949"), "똠방"),
        ("iso-2022-jp", "請求書".encode("iso2022_jp"), "請求書"),
        ("koi8-r", "Ура".encode("koi8-r"), "Ура"),
        ("cp437", "Größe".encode("cp437"), "Größe"),
        ("iso-8859-1", "المبلغ الإجمالي خمسمائة".encode("cp1256"), "المبلغ الإجمالي خمسمائة"),
        ("windows-1252", "Счёт на оплату".encode("cp1251"), "Счёт на оплату"),
        ("utf-16", b"<p>ascii</p>", "<p>ascii</p>"),
        ("no-such-encoding", "Größe".encode("cp1252"), "Größe"),
        ("rot13", b"abc", "abc"),
        ("iso-8859-2", "Łódź".encode("iso-8859-2"), "Łódź"),
    ],
)
def test_what_is_declared_counts_unless_the_bytes_contradict(declared: str, content: bytes, text: str) -> None:
    assert decode_text(content, declared) == text


def test_labels_are_read_as_the_encoding_standard_says() -> None:
    assert codec_of("ISO-8859-1") == codec_of(" latin1 ") == codec_of("ascii") == "cp1252"
    assert codec_of("x-sjis") == "cp932"
    assert codec_of("hex") is None
    assert codec_of("") is None
    assert codec_of("unicode_escape") is None


def test_a_byte_order_mark_is_stronger_than_what_is_declared() -> None:
    assert encoding_of("Größe".encode("utf-8-sig"), "iso-8859-1") == "utf-8-sig"
