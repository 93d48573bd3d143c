"""The cast of the generated market: venues, firms, and securities with awkward names."""

from dataclasses import dataclass
from functools import lru_cache
from random import Random

_NMS = (
    "UBSA UBS ATS|SGMT SIGMA X2|INCR INTELLIGENT CROSS LLC|JPMX JPM-X|JPBX JPB-X|MSPL MS POOL (ATS-4)|"
    "MSTX MS TRAJECTORY CROSS (ATS-1)|MSRP MS RETAIL POOL (ATS-6)|EBXL LEVEL ATS|BIDS BIDS ATS|"
    "KCGM VIRTU MATCHIT|BIDX POSIT|CROS CROSSFINDER|LATS BARCLAYS ATS (LX)|ICBX INSTINCT X|"
    "CXCX CITI-ONE|DBAX SUPERX|IATS INTERACTIVE BROKERS ATS|LQNT LIQUIDNET ATS|LQNA LIQUIDNET H2O ATS|"
    "ITGP POSIT ALERT|PDQX CODA MARKETS, INC.|BLKX BLOCKCROSS|LEVL LUMINEX TRADING & ANALYTICS|"
    "NLCX ONECHRONOS|PUR1 PURESTREAM|CBLC CBOE LIS|USTK USTOCKTRANS|FIDX FIDELITY CROSSSTREAM|"
    "BNYC BNY  CONVERGEX|DLTA DEALERWEB|XSTM STIFEL X|RIVX RIVERCROSS"
)
_OTC = (
    "OTCN OTC LINK NQB IDQS|OTCX OTC LINK ECN ATS|ARCA GLOBAL OTC|"
    "PPEX NORTH CAPITAL PRIVATE SECURITIES CORPORATION|PROS TZERO SECURITIES LLC|"
    "ALTS LODAS SECURITIES ALTERNATIVE TRADING SYSTEM|SWCL INX SECURITIES, LLC|"
    "STEN STARTENGINE SECONDARY|SMKT SECURITIZE MARKETS ATS|RIAL RIALTO MARKETS LLC"
)
NMS_VENUES = tuple(tuple(name.split(" ", 1)) for name in _NMS.split("|"))
OTC_VENUES = tuple(tuple(name.split(" ", 1)) for name in _OTC.split("|"))
FIRMS = (
    ("116797", "CITADEL SECURITIES LLC"),
    ("149823", "VIRTU AMERICAS LLC"),
    ("111528", "G1 EXECUTION SERVICES, LLC"),
    ("103782", "JANE STREET CAPITAL, LLC"),
    ("148960", "TWO SIGMA SECURITIES, LLC"),
    ("172370", "HRT EXECUTION SERVICES LLC"),
    ("7654", "UBS SECURITIES LLC"),
    ("361", "GOLDMAN SACHS & CO. LLC"),
    ("8209", "MORGAN STANLEY & CO. LLC"),
    ("79", "J.P. MORGAN SECURITIES LLC"),
    ("283942", "BOFA SECURITIES, INC."),
    ("2525", "STIFEL, NICOLAUS & COMPANY, INCORPORATED"),
    ("25900", "O'NEIL  SECURITIES, INCORPORATED"),
    ("36418", "INTERACTIVE BROKERS LLC"),
)
DE_MINIMIS = "De Minimis Firms"
FULL = {"T1": 2_600, "T2": 9_200, "OTCE": 6_000}
"""How many securities give the row counts of a real week."""
SMALL = {"T1": 40, "T2": 60, "OTCE": 30}


@dataclass(frozen=True)
class Security:
    """What stays from week to week: names, price in cents, usual weekly shares, and who trades it."""

    symbol: str
    name: str
    product: str
    cents: int
    shares: int
    venues: int
    firms: int
    has_de_minimis: bool


AWKWARD = (
    ("AAPL", "Apple Inc. Common Stock", "UTP"),
    ("NA", "Nano Labs Ltd American Depositary Shares, Class A", "UTP"),
    ("NAN", "Nuveen New York Quality Municipal Income Fund", "CTS"),
    ("BRK.B", "BERKSHIRE HATHAWAY Class B", "CTS"),
    ("KKR$D", "KKR & Co. Inc. 6.25% Series D Mandatory Convertible Preferred Stock, $50 par", "CTS"),
    ("", "Unidentified Security", "CTS"),
    ("META", "Meta Platforms, Inc. Class A Common Stock", "UTP"),
    ("META", "Roundhill Ball Metaverse ETF", "UTP"),
    ("TAPE", "Moved from one tape to the other, Inc.", "UTP"),
    ("TAPE", "Moved from one tape to the other, Inc.", "CTS"),
    ("ON", "ON Semiconductor Corporation Common Stock", "UTP"),
    ("NAT", "Nordic American Tankers  Ltd", "CTS"),
    ("TY$", "Tri-Continental Corporation $2.50 Preferred", "CTS"),
    ("LNGN.W", ("A Very Long Name / Depositary Shares each representing 1/1,000th " * 4)[:201], "CTS"),
)
_FIRST = ("Acme", "Baker's", "Cobalt", "Delta", "Ever", "Fox & Hound", "Gran", "Halcyon", "Ion", "O'Neil")
_SECOND = ("Biosystems", "Energy", "Foods", "Holdings", "Mining", "Pharma", "Realty", "Trust", "Wind")
_LAST = (
    ", Inc. Common Stock",
    " Corp  Common Shares",
    " Ltd Ordinary Shares (Canada)",
    " 7.25% Subordinated Notes Due 2055",
    " INC COM PAR $0.001",
    " plc Sponsored ADR, Class A",
)


@lru_cache(maxsize=16)
def securities(tier: str, count: int) -> tuple[Security, ...]:
    """The same securities every week; the awkward ones stand in every tier, so tickers are in two at once."""
    names = list(dict.fromkeys((symbol, name, _product(tier, product)) for symbol, name, product in AWKWARD))
    ordinary = (_ordinary(tier, number) for number in range(max(0, count - len(names))))
    rng = Random(f"securities/{tier}")
    return tuple(_security(tier, rng, *name) for name in [*names, *ordinary][:count])


def _product(tier: str, product: str) -> str:
    return "OTCE" if tier == "OTCE" else product


def _ordinary(tier: str, number: int) -> tuple[str, str, str]:
    """Symbols hop about the alphabet; tiers start apart, so that their ordinary symbols never meet."""
    start = {"T1": 0, "T2": 150_000, "OTCE": 300_000}[tier]
    rest, letters = start + number * 7 % 150_000, ""
    for _ in range(4):
        rest, letter = divmod(rest, 26)
        letters = chr(65 + letter) + letters
    suffix = "F" if tier == "OTCE" else (".U" if number % 61 == 7 else "$A" if number % 53 == 5 else "")
    first, second = _FIRST[number % 10], _SECOND[number // 10 % 9]
    name = f"{first} {second} {number}{_LAST[number % 6]}"
    return letters + suffix, name, _product(tier, "UTP" if number % 2 else "CTS")


def _security(tier: str, rng: Random, symbol: str, name: str, product: str) -> Security:
    if tier == "T1":
        size, venues, firms, minimis = 13.0, rng.randint(13, 31), rng.randint(1, 5), 0.95
    elif tier == "T2":
        size, venues, firms, minimis = 10.0, rng.randint(2, 26), rng.randint(0, 3), 0.75
    else:
        size, venues, firms, minimis = 9.0, max(0, rng.randint(-3, 3)), rng.randint(0, 2), 0.8
    cents = int(rng.lognormvariate(7.5, 1.2)) + 1
    shares = int(rng.lognormvariate(size, 1.6)) + 50
    return Security(symbol, name, product, cents, shares, venues, firms, rng.random() < minimis)
