"""Which addresses a message may go to: the world's, and what the operator allows beside it."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = ip_network("64:ff9b::/96")


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Raises ValueError for what is no network, such as `10.0.0.1/8` with bits behind its prefix."""
    return tuple(ip_network(text) for text in texts)


def may_be_reached(address: str, allowed: Iterable[Network]) -> bool:
    """Whether a connection to this numeric address may be opened.

    A private, local, link-local, shared or reserved one only where the operator allows its network: a webhook that
    a company names must not reach what stands beside us. An IPv4 address that hides in an IPv6 one is looked at as
    what it is.
    """
    try:
        found = _bare(ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if any(found.version == network.version and found in network for network in allowed):
        return True
    return found.is_global and not found.is_multicast


def _bare(address: Address) -> Address:
    """The IPv4 address inside (mapped, 6to4, Teredo, NAT64), else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
