"""How currencies are written beside amounts, by their code in ISO 4217."""

# ruff: noqa: RUF001

SIGNS = {
    "EUR": ("€",), "USD": ("US$", "$"), "GBP": ("£",), "JPY": ("¥", "円", "\uffe5"), "CNY": ("¥", "元", "\uffe5"),
    "INR": ("₹", "Rs"), "ILS": ("₪", 'ש"ח'), "NIS": ("₪", 'ש"ח'), 'ש"ח': ("₪",), "KRW": ("₩", "원"),
    "TRY": ("₺", "TL"), "RUB": ("₽", "руб"), "UAH": ("₴", "грн"), "PLN": ("zł",), "CZK": ("Kč",), "HUF": ("Ft",),
    "RON": ("lei",), "BGN": ("лв",), "SEK": ("kr", "kr."), "NOK": ("kr", "kr."), "DKK": ("kr", "kr."),
    "CHF": ("Fr.", "SFr."), "BRL": ("R$",), "MXN": ("$",), "CAD": ("C$", "CA$", "$"), "AUD": ("A$", "AU$", "$"),
    "NZD": ("NZ$", "$"), "SGD": ("S$", "$"), "HKD": ("HK$", "$"), "TWD": ("NT$", "元"), "MYR": ("RM",),
    "THB": ("฿", "บาท"), "VND": ("₫", "đ"), "PHP": ("₱",), "IDR": ("Rp", "Rp."), "NGN": ("₦",), "ZAR": ("R",),
    "SAR": ("ر.س", "ريال"), "AED": ("د.إ", "درهم", "Dhs"), "EGP": ("ج.م", "E£"),
}  # fmt: skip
