"""MQTT 5, 4.7 in the plainest words, beside which the trees are held."""

CHOICES = [
    # (clause, filter, topics that it matches, topics that it does not)
    ("4.7.1.2 example 1", "sport/tennis/player1/#", ["sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/score/wimbledon"], ["sport/tennis/player10", "sport/tennis", "sport/tennis/player10/x"]),
    ("4.7.1.2 parent", "sport/#", ["sport", "sport/", "sport/a/b"], ["sports", "spor", "/sport"]),
    ("4.7.1.2 all", "#", ["a", "/", "/a", "a/b/c", " "], ["$SYS", "$SYS/a", "$"]),
    ("4.7.1.3 example 1", "sport/tennis/+", ["sport/tennis/player1", "sport/tennis/"], ["sport/tennis/player1/ranking", "sport/tennis"]),
    ("4.7.1.3 example 2", "sport/+", ["sport/", "sport/a"], ["sport", "sport//"]),
    ("4.7.1.3 example 3", "+/+", ["/finance", "a/b", "/"], ["finance", "/a/b", "$a/b"]),
    ("4.7.1.3 example 4", "/+", ["/finance", "/"], ["finance", "a/finance", "//"]),
    ("4.7.1.3 example 5", "+", ["finance", "a"], ["/finance", "$finance", "a/"]),
    ("4.7.1.3 mixed", "+/tennis/#", ["a/tennis", "/tennis/b", "a/tennis/b/c"], ["tennis", "a/b/tennis", "$a/tennis"]),
    ("4.7.1.3 middle", "sport/+/player1", ["sport/tennis/player1", "sport//player1"], ["sport/player1", "sport/a/b/player1", "sport/a/player2"]),
    ("4.7.2-1 #", "#", ["SYS/$a"], ["$SYS/monitor/Clients"]),
    ("4.7.2-1 +", "+/monitor/Clients", ["SYS/monitor/Clients"], ["$SYS/monitor/Clients"]),
    ("4.7.2 named #", "$SYS/#", ["$SYS", "$SYS/", "$SYS/monitor/Clients"], ["SYS", "$SYSX"]),
    ("4.7.2 named +", "$SYS/monitor/+", ["$SYS/monitor/Clients"], ["$SYS/monitor", "$SYS/a/b"]),
    ("4.7.2 not first", "a/+/b", ["a/$c/b"], []),
    ("4.7.3 case", "ACCOUNTS/+", ["ACCOUNTS/a"], ["Accounts/a"]),
    ("4.7.3 spaces", "Accounts payable/#", ["Accounts payable", "Accounts payable/ "], ["Accountspayable", "Accounts payable /a"]),
    ("4.7.3 leading slash", "/finance", ["/finance"], ["finance", "/finance/"]),
    ("4.7.3 trailing slash", "a/", ["a/"], ["a", "a//"]),
    ("4.7.3 empty levels", "a//+/", ["a//b/", "a///"], ["a/b/", "a//b", "a//b//"]),
    ("4.7.3 no normalization", "\u00e5/#", ["\u00e5", "\u00e5/a"], ["a\u030a", "\u212b", "A\u030a/a"]),
]  # fmt: skip

IDS = [f"{clause}: {topic_filter}" for clause, topic_filter, _, _ in CHOICES]


def is_match(topic_filter: str, topic: str) -> bool:
    """By recursion on the first level of both."""
    if topic[0] == "$" and topic_filter[0] in "+#":
        return False
    return _levels_match(topic_filter.split("/"), topic.split("/"))


def _levels_match(pattern: list[str], levels: list[str]) -> bool:
    if pattern == ["#"]:
        return True
    if not pattern or not levels:
        return pattern == levels
    return pattern[0] in ("+", levels[0]) and _levels_match(pattern[1:], levels[1:])
