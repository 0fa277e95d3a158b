//! Looking up in DNS.

use std::time::Duration;

use telehash_hashname::{LinkJson, Path};
use telehash_resolve::limits::{MAX_HOST_ADDRESSES, MAX_SERVICE_HOSTS, MAX_TEXT_STRINGS};
use telehash_resolve::{DnsError, Found, LookUpError, LookUps, NotFound, Source, dns};
use tokio::net::{TcpListener, UdpSocket};

use crate::name_server::Zone;
use crate::{endpoint, look_ups, place, reason};

fn host(link: &LinkJson) -> String {
    format!("{}.example.org", link.hashname)
}

impl Zone {
    /// What an endpoint publishes, apart from the service record.
    fn endpoint(self, link: &LinkJson) -> Self {
        let texts = dns::texts(&link.keys).unwrap();
        let texts = texts
            .iter()
            .fold(self, |zone, text| zone.text(&host(link), text));
        texts.address(&host(link), [192, 0, 2, 1])
    }
}

async fn find(zone: Zone, uri: &str) -> Result<Found, NotFound> {
    let names = zone.serve().await;
    look_ups(&names).await.find(&place(uri)).await
}

async fn refused(zone: Zone) -> LookUpError {
    reason(&find(zone, "link://example.org/").await, Source::Dns)
}

#[tokio::test]
async fn a_domain_leads_to_its_endpoint() {
    let link = endpoint(1);
    let zone = Zone::default()
        .service(0, 4242, &host(&link))
        .endpoint(&link)
        .address6(&host(&link), [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
    let found = find(zone, "link://example.org/").await.unwrap();
    assert_eq!((found.source, &found.link.keys), (Source::Dns, &link.keys));
    let at = ["192.0.2.1:4242", "[2001:db8::1]:4242"].map(|at| at.parse().unwrap());
    let paths = [
        Path::udp(at[0]),
        Path::udp(at[1]),
        Path::tcp(at[0]),
        Path::tcp(at[1]),
    ];
    assert_eq!(found.link.paths, paths);
}

#[tokio::test]
async fn the_name_of_a_host_leads_to_its_endpoint_without_a_service_record() {
    let link = endpoint(1);
    let uri = format!("link://{}:77/", host(&link));
    let found = find(Zone::default().endpoint(&link), &uri).await.unwrap();
    assert_eq!(found.link.keys, link.keys);
    assert_eq!(
        found.link.paths[0],
        Path::udp("192.0.2.1:77".parse().unwrap())
    );
}

#[tokio::test]
async fn a_host_that_is_not_in_order_makes_way_for_the_next() {
    let (bad, good) = (endpoint(1), endpoint(2));
    let zone = Zone::default()
        .service(0, 1, &host(&bad))
        .service(1, 2, &host(&good))
        .text(&host(&bad), "3a=aaaa")
        .endpoint(&good);
    let found = find(zone, "link://example.org/").await.unwrap();
    assert_eq!(found.link.hashname, good.hashname);
}

#[tokio::test]
async fn keys_that_do_not_make_the_hashname_are_refused() {
    let (asked, other) = (endpoint(1), endpoint(2));
    let zone = Zone::default()
        .service(0, 1, &host(&asked))
        .address(&host(&asked), [192, 0, 2, 1]);
    let texts = dns::texts(&other.keys).unwrap();
    let zone = texts
        .iter()
        .fold(zone, |zone, text| zone.text(&host(&asked), text));
    let hashname = asked.hashname;
    assert_eq!(
        refused(zone).await,
        LookUpError::Dns(DnsError::WrongKeys { hashname })
    );
}

#[tokio::test]
async fn whoever_is_expected_is_the_only_one_who_is_taken() {
    let (first, second) = (endpoint(1), endpoint(2));
    let zone = || {
        let services = Zone::default()
            .service(0, 1, &host(&first))
            .service(1, 1, &host(&second));
        services.endpoint(&first).endpoint(&second)
    };
    let names = zone().serve().await;
    let domain = place("link://example.org/");
    let expecting = |hashname| domain.clone().expecting(hashname);
    let look_ups = look_ups(&names).await;
    let found = look_ups.find(&expecting(second.hashname)).await.unwrap();
    assert_eq!(found.link.hashname, second.hashname);
    let expected = endpoint(3).hashname;
    let other = reason(&look_ups.find(&expecting(expected)).await, Source::Dns);
    let found = first.hashname;
    assert_eq!(
        other,
        LookUpError::Dns(DnsError::OtherHashname { expected, found })
    );
    let named = place(&format!("link://{}/", host(&first))).expecting(expected);
    assert_eq!(reason(&look_ups.find(&named).await, Source::Dns), other);
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let link = endpoint(1);
    assert_eq!(refused(Zone::default()).await, DnsError::NoService.into());
    let named = || Zone::default().service(0, 1, &host(&link));
    assert_eq!(refused(named()).await, DnsError::NoKeys.into());
    let texts = dns::texts(&link.keys).unwrap();
    let keys_only = texts
        .iter()
        .fold(named(), |zone, text| zone.text(&host(&link), text));
    let hashname = link.hashname;
    assert_eq!(
        refused(keys_only).await,
        DnsError::NoAddress { hashname }.into()
    );
}

#[tokio::test]
async fn more_records_than_the_limits_do_no_harm() {
    let link = endpoint(1);
    let other = |number: usize| format!("{}.example.org", endpoint(100 + number as u8).hashname);
    let others = |count: usize| {
        let zone = Zone::default().service(9, 1, &host(&link)).endpoint(&link);
        (0..count).fold(zone, |zone, number| zone.service(0, 1, &other(number)))
    };
    assert!(
        find(others(MAX_SERVICE_HOSTS - 1), "link://example.org/")
            .await
            .is_ok()
    );
    assert_eq!(
        refused(others(MAX_SERVICE_HOSTS)).await,
        DnsError::NoKeys.into()
    );

    let texts = |count: usize| {
        let zone = Zone::default().service(0, 1, &host(&link)).endpoint(&link);
        let keys = dns::texts(&link.keys).unwrap().len();
        (keys..count).fold(zone, |zone, number| {
            zone.text(&host(&link), &number.to_string())
        })
    };
    assert!(
        find(texts(MAX_TEXT_STRINGS), "link://example.org/")
            .await
            .is_ok()
    );
    let count = MAX_TEXT_STRINGS + 1;
    assert_eq!(
        refused(texts(count)).await,
        DnsError::TooManyTexts { count }.into()
    );

    let addresses = (100..140).fold(texts(0), |zone, number| {
        zone.address(&host(&link), [192, 0, 2, number])
    });
    let found = find(addresses, "link://example.org/").await.unwrap();
    assert_eq!(found.link.paths.len(), 2 * MAX_HOST_ADDRESSES);
}

#[tokio::test]
async fn servers_that_do_not_answer_cost_no_more_than_the_time_allowed() {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let silent = [tcp.local_addr().unwrap(), udp.local_addr().unwrap()];
    let allowed = Duration::from_millis(20);
    let look_ups = LookUps::new().name_servers(silent).timeout(allowed);
    let result = look_ups.find(&place("link://example.org/")).await;
    for source in [Source::WebFinger, Source::Dns, Source::Jwks] {
        assert_eq!(reason(&result, source), LookUpError::TimedOut(allowed));
    }
}

#[tokio::test]
async fn a_domain_that_dns_cannot_have_is_refused() {
    let label = "a".repeat(64);
    let result = find(Zone::default(), &format!("link://{label}.example.org/")).await;
    let error = reason(&result, Source::Dns);
    assert!(
        matches!(error, LookUpError::Dns(DnsError::Name { .. })),
        "{error}"
    );
}
