#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::net::IpAddr;

use super::*;

fn origin(text: &str) -> Result<String, OriginError> {
    text.parse::<Origin>().map(|origin| origin.to_string())
}

#[test]
fn spellings_of_one_place_are_one_origin() {
    for (text, same) in [
        ("https://Example.COM", "https://example.com"),
        ("https://example.com:443/", "https://example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("HTTP://bücher.example", "http://xn--bcher-kva.example"),
        ("http://2130706433", "http://127.0.0.1"),
        ("http://0177.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://0x7f.1", "http://127.0.0.1"),
        ("http://%31%32%37.0.0.1", "http://127.0.0.1"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("http://[::FFFF:127.0.0.1]:1", "http://[::ffff:7f00:1]:1"),
    ] {
        assert_eq!(origin(text), Ok(same.to_owned()), "{text}");
    }
}

#[test]
fn what_is_more_than_an_origin_is_refused() {
    for (text, error) in [
        ("ftp://example.com", OriginError::Scheme),
        ("https://user@example.com", OriginError::Userinfo),
        ("https://example.com/hooks", OriginError::Path),
        ("https://example.com?x", OriginError::Path),
        ("example.com", OriginError::Form),
        ("https://", OriginError::Form),
        ("https://example.com:0", OriginError::Form),
        ("https://*.example.com", OriginError::Wildcard),
    ] {
        assert_eq!(origin(text), Err(error), "{text}");
    }
}

#[test]
fn an_authority_that_could_be_read_as_another_is_refused() {
    let of = |text| Origin::of_authority(Scheme::Https, text).map(|origin| origin.to_string());
    assert_eq!(of("example.com:8443"), Ok("https://example.com:8443".to_owned()));
    assert_eq!(of("good.example@evil.example"), Err(OriginError::Userinfo));
    for text in ["", "good.example\\@evil", "good.example#evil", "a b", "a/b", "a?b", "a\n"] {
        assert!(of(text).is_err(), "{text:?}");
    }
    assert_ne!(of("example.com."), of("example.com"), "another name to a resolver");
}

#[test]
fn addresses_of_this_machine_and_its_networks_are_forbidden_in_every_form() {
    use AddressRule::{LinkLocal, Loopback, Metadata, Multicast, Private, Reserved};
    for (address, rule) in [
        ("127.0.0.1", Some(Loopback)),
        ("127.255.0.9", Some(Loopback)),
        ("0.0.0.0", Some(Loopback)),
        ("10.1.2.3", Some(Private)),
        ("172.16.0.1", Some(Private)),
        ("172.31.255.255", Some(Private)),
        ("172.32.0.1", None),
        ("192.168.1.1", Some(Private)),
        ("100.64.0.1", Some(Private)),
        ("169.254.169.254", Some(LinkLocal)),
        ("100.100.100.200", Some(Metadata)),
        ("168.63.129.16", Some(Metadata)),
        ("192.0.0.192", Some(Metadata)),
        ("224.0.0.1", Some(Multicast)),
        ("255.255.255.255", Some(Reserved)),
        ("240.0.0.1", Some(Reserved)),
        ("198.18.0.1", Some(Reserved)),
        ("203.0.113.7", Some(Reserved)),
        ("8.8.8.8", None),
        ("::1", Some(Loopback)),
        ("::", Some(Loopback)),
        ("::ffff:127.0.0.1", Some(Loopback)),
        ("::ffff:10.0.0.1", Some(Private)),
        ("::ffff:8.8.8.8", None),
        ("::127.0.0.1", Some(Reserved)),
        ("64:ff9b::7f00:1", Some(Loopback)),
        ("64:ff9b::808:808", None),
        ("64:ff9b:1::1", Some(Reserved)),
        ("2002:7f00:1::", Some(Reserved)),
        ("2001:0:1::1", Some(Reserved)),
        ("2001:db8::1", Some(Reserved)),
        ("fe80::1", Some(LinkLocal)),
        ("fec0::1", Some(Private)),
        ("fd00:ec2::254", Some(Private)),
        ("ff02::1", Some(Multicast)),
        ("100::1", Some(Reserved)),
        ("2606:4700::1111", None),
    ] {
        let parsed: IpAddr = address.parse().expect(address);
        assert_eq!(forbidden(parsed), rule, "{address}");
    }
}

#[test]
fn an_operator_allows_addresses_one_by_one_and_by_network() {
    let mut set = AddressSet::default();
    set.add("10.0.0.0/8").expect("a network");
    set.add("::1").expect("an address");
    assert!(set.add("10.0.0").is_err());
    assert!(set.add("example.com").is_err());
    for (address, allowed) in [
        ("10.255.0.1", true),
        ("::ffff:10.0.0.1", true),
        ("11.0.0.1", false),
        ("::1", true),
        ("127.0.0.1", false),
    ] {
        let parsed = address.parse().expect(address);
        assert_eq!(set.contains(parsed), allowed, "{address}");
    }
}
