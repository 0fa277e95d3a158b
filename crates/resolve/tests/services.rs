//! Service records, without a name server.

use std::net::IpAddr;

use telehash_hashname::{Hashname, Path};
use telehash_resolve::dns::{self, ServiceRecord};
use telehash_resolve::limits::{MAX_HOST_ADDRESSES, MAX_SERVICE_HOSTS};
use telehash_resolve::{DnsError, Place};
use telehash_uri::LinkUri;

fn hashname(number: u8) -> Hashname {
    Hashname::from_bytes([number; 32])
}

fn record(priority: u16, weight: u16, number: u8) -> ServiceRecord {
    ServiceRecord {
        priority,
        weight,
        port: 42424,
        target: format!("{}.example.org.", hashname(number)),
    }
}

fn found(records: Vec<ServiceRecord>) -> Result<Vec<Hashname>, DnsError> {
    let hosts = dns::hosts(records, None)?;
    Ok(hosts.into_iter().map(|host| host.hashname).collect())
}

#[test]
fn the_most_preferred_hosts_come_first_and_the_others_are_ignored() {
    let records = vec![record(2, 9, 1), record(1, 1, 2), record(1, 5, 3)];
    assert_eq!(
        found(records),
        Ok(vec![hashname(3), hashname(2), hashname(1)])
    );
    let many = |count: usize| {
        (0..count)
            .rev()
            .map(|n| record(n as u16, 0, n as u8))
            .collect()
    };
    for count in [MAX_SERVICE_HOSTS, MAX_SERVICE_HOSTS + 1] {
        let first: Vec<_> = (0..MAX_SERVICE_HOSTS).map(|n| hashname(n as u8)).collect();
        assert_eq!(found(many(count)), Ok(first));
    }
}

#[test]
fn only_hosts_that_are_named_after_endpoints_count() {
    let with = |target: &str, port| ServiceRecord {
        target: target.to_owned(),
        port,
        ..record(0, 0, 1)
    };
    let ours = format!("{}.example.org", hashname(1));
    let records = vec![
        with("mail.example.org.", 1),
        with(&ours, 0),
        with(&ours.to_uppercase(), 5),
    ];
    let hosts = dns::hosts(records, None).unwrap();
    assert_eq!(
        (hosts.len(), hosts[0].hashname, hosts[0].port),
        (1, hashname(1), 5)
    );
    assert!(matches!(
        found(vec![with("mail.example.org.", 1)]),
        Err(DnsError::TargetUnnamed { .. })
    ));
    assert!(matches!(
        found(vec![with(&hashname(1).to_string(), 1)]),
        Err(DnsError::TargetUnnamed { .. })
    ));
    assert_eq!(found(vec![with(".", 0)]), Err(DnsError::NotOffered));
    assert_eq!(found(vec![]), Err(DnsError::NoService));
}

#[test]
fn who_is_expected_is_looked_for_among_the_others() {
    let records = || vec![record(0, 0, 1), record(1, 0, 2)];
    let hosts = dns::hosts(records(), Some(&hashname(2))).unwrap();
    assert_eq!((hosts.len(), hosts[0].hashname), (1, hashname(2)));
    let (expected, found) = (hashname(3), hashname(1));
    let error = dns::hosts(records(), Some(&expected));
    assert_eq!(error, Err(DnsError::OtherHashname { expected, found }));
}

#[test]
fn a_domain_that_begins_with_a_hashname_is_a_host_itself() {
    let place = |host: &str| {
        let uri = LinkUri::parse(&format!("link://{host}:5/")).unwrap().uri;
        Place::of(&uri).unwrap()
    };
    let host = dns::named_host(&place(&format!("{}.example.org", hashname(7)))).unwrap();
    assert_eq!((host.hashname, host.port), (hashname(7), 5));
    assert_eq!(dns::named_host(&place("example.org")), None);
}

#[test]
fn paths_are_of_udp_and_tcp_at_a_few_addresses_of_each_family() {
    let host = &dns::hosts(vec![record(0, 0, 1)], None).unwrap()[0];
    let v4 = |count: usize| (0..count).map(|n| IpAddr::from([192, 0, 2, n as u8]));
    let v6 =
        |count: usize| (0..count).map(|n| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n as u16]));
    for count in [MAX_HOST_ADDRESSES, MAX_HOST_ADDRESSES + 1] {
        let addresses: Vec<IpAddr> = v6(count).chain(v4(count)).collect();
        let paths = host.paths(&addresses);
        let kinds: Vec<_> = paths.iter().map(Path::kind).collect();
        let expected = ["udp4", "udp6", "tcp4", "tcp6"].map(|kind| [kind; MAX_HOST_ADDRESSES]);
        assert_eq!(kinds, expected.concat());
    }
    let only = host.paths(&["192.0.2.1".parse().unwrap()]);
    let at = "192.0.2.1:42424".parse().unwrap();
    assert_eq!(only, [Path::udp(at), Path::tcp(at)]);
}
