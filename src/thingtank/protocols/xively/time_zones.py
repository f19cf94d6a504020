"""The `timezone` parameter: an offset in hours, or a place from the list that Ruby on Rails has.

Source: Xively API v2, time zones.
"""

from datetime import timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from thingtank.protocols.xively.errors import MalformedQuery

_OFFSET_HOURS_MAX = 14

# Rails' names → the tz database's. Names are case-sensitive, as they were at Xively.
_ZONE_TABLE = """
International Date Line West=Etc/GMT+12|Midway Island=Pacific/Midway|Samoa=Pacific/Pago_Pago
American Samoa=Pacific/Pago_Pago|Hawaii=Pacific/Honolulu|Alaska=America/Juneau
Pacific Time (US & Canada)=America/Los_Angeles|Tijuana=America/Tijuana
Mountain Time (US & Canada)=America/Denver|Arizona=America/Phoenix
Chihuahua=America/Chihuahua|Mazatlan=America/Mazatlan
Central Time (US & Canada)=America/Chicago|Saskatchewan=America/Regina
Guadalajara=America/Mexico_City|Mexico City=America/Mexico_City|Monterrey=America/Monterrey
Central America=America/Guatemala|Eastern Time (US & Canada)=America/New_York
Indiana (East)=America/Indiana/Indianapolis|Bogota=America/Bogota|Lima=America/Lima
Quito=America/Lima|Atlantic Time (Canada)=America/Halifax|Caracas=America/Caracas
La Paz=America/La_Paz|Santiago=America/Santiago|Georgetown=America/Guyana
Newfoundland=America/St_Johns|Brasilia=America/Sao_Paulo
Buenos Aires=America/Argentina/Buenos_Aires|Greenland=America/Nuuk
Mid-Atlantic=Atlantic/South_Georgia|Azores=Atlantic/Azores|Cape Verde Is.=Atlantic/Cape_Verde
Dublin=Europe/Dublin|Edinburgh=Europe/London|Lisbon=Europe/Lisbon|London=Europe/London
Casablanca=Africa/Casablanca|Monrovia=Africa/Monrovia|UTC=Etc/UTC|Belgrade=Europe/Belgrade
Bratislava=Europe/Bratislava|Budapest=Europe/Budapest|Ljubljana=Europe/Ljubljana
Prague=Europe/Prague|Sarajevo=Europe/Sarajevo|Skopje=Europe/Skopje|Warsaw=Europe/Warsaw
Zagreb=Europe/Zagreb|Brussels=Europe/Brussels|Copenhagen=Europe/Copenhagen
Madrid=Europe/Madrid|Paris=Europe/Paris|Amsterdam=Europe/Amsterdam|Berlin=Europe/Berlin
Bern=Europe/Zurich|Rome=Europe/Rome|Stockholm=Europe/Stockholm|Vienna=Europe/Vienna
West Central Africa=Africa/Algiers|Bucharest=Europe/Bucharest|Cairo=Africa/Cairo
Helsinki=Europe/Helsinki|Kyiv=Europe/Kyiv|Kyev=Europe/Kyiv|Riga=Europe/Riga|Sofia=Europe/Sofia
Tallinn=Europe/Tallinn|Vilnius=Europe/Vilnius|Athens=Europe/Athens|Istanbul=Europe/Istanbul
Minsk=Europe/Minsk|Jerusalem=Asia/Jerusalem|Harare=Africa/Harare
Pretoria=Africa/Johannesburg|Moscow=Europe/Moscow|St. Petersburg=Europe/Moscow
Volgograd=Europe/Volgograd|Kuwait=Asia/Kuwait|Riyadh=Asia/Riyadh|Nairobi=Africa/Nairobi
Baghdad=Asia/Baghdad|Tehran=Asia/Tehran|Abu Dhabi=Asia/Muscat|Muscat=Asia/Muscat
Baku=Asia/Baku|Tbilisi=Asia/Tbilisi|Yerevan=Asia/Yerevan|Kabul=Asia/Kabul
Ekaterinburg=Asia/Yekaterinburg|Islamabad=Asia/Karachi|Karachi=Asia/Karachi
Tashkent=Asia/Tashkent|Chennai=Asia/Kolkata|Kolkata=Asia/Kolkata|Mumbai=Asia/Kolkata
New Delhi=Asia/Kolkata|Kathmandu=Asia/Kathmandu|Astana=Asia/Dhaka|Dhaka=Asia/Dhaka
Sri Jayawardenepura=Asia/Colombo|Almaty=Asia/Almaty|Novosibirsk=Asia/Novosibirsk
Rangoon=Asia/Yangon|Bangkok=Asia/Bangkok|Hanoi=Asia/Bangkok|Jakarta=Asia/Jakarta
Krasnoyarsk=Asia/Krasnoyarsk|Beijing=Asia/Shanghai|Chongqing=Asia/Chongqing
Hong Kong=Asia/Hong_Kong|Urumqi=Asia/Urumqi|Kuala Lumpur=Asia/Kuala_Lumpur
Singapore=Asia/Singapore|Taipei=Asia/Taipei|Perth=Australia/Perth|Irkutsk=Asia/Irkutsk
Ulaan Bataar=Asia/Ulaanbaatar|Ulaanbaatar=Asia/Ulaanbaatar|Seoul=Asia/Seoul|Osaka=Asia/Tokyo
Sapporo=Asia/Tokyo|Tokyo=Asia/Tokyo|Yakutsk=Asia/Yakutsk|Darwin=Australia/Darwin
Adelaide=Australia/Adelaide|Canberra=Australia/Melbourne|Melbourne=Australia/Melbourne
Sydney=Australia/Sydney|Brisbane=Australia/Brisbane|Hobart=Australia/Hobart
Vladivostok=Asia/Vladivostok|Guam=Pacific/Guam|Port Moresby=Pacific/Port_Moresby
Magadan=Asia/Magadan|Solomon Is.=Pacific/Guadalcanal|New Caledonia=Pacific/Noumea
Fiji=Pacific/Fiji|Kamchatka=Asia/Kamchatka|Marshall Is.=Pacific/Majuro
Auckland=Pacific/Auckland|Wellington=Pacific/Auckland|Nuku'alofa=Pacific/Tongatapu
Tokelau Is.=Pacific/Fakaofo|Chatham Is.=Pacific/Chatham
"""
RAILS_ZONES = dict(
    entry.split("=", 1) for line in _ZONE_TABLE.split("\n") for entry in line.split("|") if entry
)


@lru_cache(maxsize=256)
def parse_zone(text: str) -> tzinfo | None:
    """The zone that a `timezone` parameter names; None for UTC and for a blank.

    Raises:
        MalformedQuery: neither an offset within 14 hours nor a name of the list.
    """
    if not text:
        return None
    name = RAILS_ZONES.get(text)
    if name is not None:
        return None if name == "Etc/UTC" else ZoneInfo(name)
    try:
        hours = float(text)
    except ValueError:
        raise MalformedQuery(f"timezone {text[:64]} is not known") from None
    if not -_OFFSET_HOURS_MAX <= hours <= _OFFSET_HOURS_MAX:
        raise MalformedQuery(f"timezone must be within {_OFFSET_HOURS_MAX} hours of UTC")
    minutes = round(hours * 60)
    return timezone(timedelta(minutes=minutes)) if minutes else None
