"""Three-letter codes of states and of others who issue travel documents.

Source: ISO 3166-1 alpha-3; ICAO Doc 9303-3, section 5 (codes that only travel documents use).
"""

from ecosystem.services.creditx.reading.mrz.characters import as_letters

_ISO = """
    ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR BHS BIH BLM
    BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG COK COL COM CPV CRI CUB CUW CXR
    CYM CYP CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB
    GIN GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA
    JAM JEY JOR JPN KAZ KEN KGZ KHM KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA
    MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR
    NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS
    SHN SJM SLB SLE SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON
    TTO TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE
"""
_TRAVEL = """
    D EUE GBD GBN GBO GBP GBS IAO NTZ RKS UNA UNK UNO UTO XBA XCC XCE XCO XCT XDC XEC XES XIM XMP XOM XPO XXA XXB XXC
    XXX ZIM
"""
CODES = frozenset(_ISO.split()) | frozenset(_TRAVEL.split())

_ALIKE = dict(zip("ODQILCGUVNM", ("DQ", "O", "O", "LT", "I", "G", "C", "V", "U", "M", "N"), strict=True))


def repaired(raw: str, hint: str | None = None) -> str | None:
    """The code (without fillers) that three characters of a zone stand for, or None.

    One letter may be read as its like; `hint` (the other code of the zone) decides where several codes would do.
    """
    letters = as_letters(raw)
    # Germany is one letter and two fillers, which may have been read as letters.
    if letters[:1] in "DO" and all(char in "<KXC" for char in letters[1:]) and letters not in CODES:
        return "D"
    plain = letters.rstrip("<")
    if plain in CODES:
        return plain
    near = {
        plain[:at] + other + plain[at + 1 :] for at, char in enumerate(plain) for other in _ALIKE.get(char, "")
    } & CODES
    if hint in near:
        return hint
    return near.pop() if len(near) == 1 else None


def iso(code: str) -> str:
    """ISO 3166-1 alpha-3 where the travel document's code is another."""
    return {"D": "DEU", "ZIM": "ZWE"}.get(code, code)
