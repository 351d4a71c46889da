//! Addresses that a name must not lead to, unless the operator says so: those
//! of this machine, of its networks, and of what a cloud tells its machines.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Why an address is not for plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRule {
    /// This machine.
    Loopback,
    /// Of a network that is not the Internet.
    Private,
    /// Of this link only; clouds answer there for their machines.
    LinkLocal,
    /// Where a cloud tells its machines who they are, outside of link-local.
    Metadata,
    /// Many machines at once.
    Multicast,
    /// Set aside for some other purpose (IANA special-purpose registries, RFC
    /// 6890).
    Reserved,
}

impl AddressRule {
    /// For programs; stable.
    pub fn code(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::Metadata => "metadata",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
        }
    }
}

impl fmt::Display for AddressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: u16, second: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), prefix)
}

/// The first that matches counts.
const V4: [(Ipv4Net, AddressRule); 17] = [
    (v4(168, 63, 129, 16, 32), AddressRule::Metadata), // Azure's wire server
    (v4(100, 100, 100, 200, 32), AddressRule::Metadata), // Alibaba Cloud
    (v4(192, 0, 0, 192, 32), AddressRule::Metadata),   // Oracle Cloud
    (v4(127, 0, 0, 0, 8), AddressRule::Loopback),
    (v4(0, 0, 0, 0, 8), AddressRule::Loopback), // 0.0.0.0 reaches this machine
    (v4(169, 254, 0, 0, 16), AddressRule::LinkLocal),
    (v4(10, 0, 0, 0, 8), AddressRule::Private),
    (v4(172, 16, 0, 0, 12), AddressRule::Private),
    (v4(192, 168, 0, 0, 16), AddressRule::Private),
    (v4(100, 64, 0, 0, 10), AddressRule::Private), // carriers' networks
    (v4(224, 0, 0, 0, 4), AddressRule::Multicast),
    (v4(192, 0, 0, 0, 24), AddressRule::Reserved),
    (v4(192, 0, 2, 0, 24), AddressRule::Reserved),
    (v4(192, 88, 99, 0, 24), AddressRule::Reserved),
    (v4(198, 18, 0, 0, 15), AddressRule::Reserved),
    (v4(198, 51, 100, 0, 24), AddressRule::Reserved),
    (v4(203, 0, 113, 0, 24), AddressRule::Reserved),
];

/// The same. What is in none of these and not in [`V6_GLOBAL`] is reserved.
const V6: [(Ipv6Net, AddressRule); 9] = [
    (v6(0xfe80, 0, 10), AddressRule::LinkLocal),
    (v6(0xfc00, 0, 7), AddressRule::Private),
    (v6(0xfec0, 0, 10), AddressRule::Private), // site-local, of old
    (v6(0xff00, 0, 8), AddressRule::Multicast),
    // Teredo, ORCHID and others; they can hold an address of IPv4.
    (v6(0x2001, 0, 23), AddressRule::Reserved),
    (v6(0x2001, 0xdb8, 32), AddressRule::Reserved),
    (v6(0x2002, 0, 16), AddressRule::Reserved), // 6to4, the same
    (v6(0x3fff, 0, 20), AddressRule::Reserved),
    (v6(0x5f00, 0, 16), AddressRule::Reserved),
];

/// All that is given out for the Internet.
const V6_GLOBAL: Ipv6Net = v6(0x2000, 0, 3);

/// Why nothing may be sent to an address, if so. Addresses of IPv6 that mean
/// one of IPv4 are judged by that.
pub fn forbidden(address: IpAddr) -> Option<AddressRule> {
    match canonical(address) {
        IpAddr::V4(address) => {
            let listed = V4.iter().find(|(net, _)| net.contains(&address));
            // 240.0.0.0/4 and the broadcast address.
            let high = (address.octets()[0] >= 240).then_some(AddressRule::Reserved);
            listed.map(|(_, rule)| *rule).or(high)
        }
        IpAddr::V6(address) if address == Ipv6Addr::LOCALHOST || address.is_unspecified() => {
            Some(AddressRule::Loopback)
        }
        IpAddr::V6(address) => {
            let listed = V6.iter().find(|(net, _)| net.contains(&address)).map(|(_, rule)| *rule);
            let global = V6_GLOBAL.contains(&address);
            listed.or((!global).then_some(AddressRule::Reserved))
        }
    }
}

/// The address of IPv4 that one of IPv6 stands for: `::ffff:a.b.c.d` (RFC 4291,
/// section 2.5.5.2), and `64:ff9b::a.b.c.d`, which a network's own translator
/// turns into it (RFC 6052).
fn canonical(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => address,
    }
}

/// Addresses, or networks of them, that an operator allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressSet(Vec<IpNet>);

/// Why a text is no address and no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no address such as 10.0.0.5 or fd00::5, and no network such as 10.0.0.0/8")]
pub struct AddressSetError;

impl AddressSet {
    /// Adds an address (`10.0.0.5`) or a network (`10.0.0.0/8`).
    ///
    /// # Errors
    /// Where it is neither.
    pub fn add(&mut self, text: &str) -> Result<(), AddressSetError> {
        let net = match IpAddr::from_str(text) {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse().map_err(|_| AddressSetError)?,
        };
        self.0.push(net);
        Ok(())
    }

    /// Adds one address.
    pub fn insert(&mut self, address: IpAddr) {
        self.0.push(IpNet::from(address));
    }

    /// Whether an address is in it, by any of its forms.
    pub fn contains(&self, address: IpAddr) -> bool {
        let canonical = canonical(address);
        self.0.iter().any(|net| net.contains(&address) || net.contains(&canonical))
    }
}

/// As it stands in the configuration.
impl fmt::Display for AddressSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted: Vec<String> = self.0.iter().map(|net| format!("\"{net}\"")).collect();
        f.write_str(&quoted.join(", "))
    }
}
