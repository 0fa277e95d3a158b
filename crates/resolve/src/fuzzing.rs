//! Bodies of the fuzz targets. They panic when a property does not hold.

use telehash_hashname::{KeySet, LinkJson};

use crate::dns::{self, MAX_SERVICE_HOSTS, ServiceRecord, TextRecord};
use crate::webfinger::Href;
use crate::{document, jwks, webfinger};

/// DNS answers: a line that begins with `SRV ` is a service record, `priority weight port target`, and
/// any other one a text record, its strings set apart by `|`.
///
/// The hosts are few, in order, and named after endpoints. Keys that are read make the hashname of
/// their host, and are read again from the records that we would publish for them.
pub fn resolve_txt(data: &[u8]) {
    let mut services = Vec::new();
    let mut texts: Vec<TextRecord> = Vec::new();
    for line in data.split(|byte| *byte == b'\n') {
        match line.strip_prefix(b"SRV ") {
            Some(service) => services.extend(service_record(service)),
            None => texts.push(
                line.split(|byte| *byte == b'|')
                    .map(<[u8]>::to_vec)
                    .collect(),
            ),
        }
    }
    let Ok(hosts) = dns::hosts(services, None) else {
        return;
    };
    assert!((1..=MAX_SERVICE_HOSTS).contains(&hosts.len()), "{hosts:?}");
    for host in hosts {
        let label = host
            .name
            .split('.')
            .next()
            .expect("a split has a first part");
        assert_eq!(label.parse(), Ok(host.hashname), "{}", host.name);
        if let Ok(keys) = dns::keys(&host.hashname, &texts) {
            assert_eq!(
                keys.hashname(),
                Some(host.hashname),
                "keys of somebody else"
            );
            published_again(&keys);
        }
    }
}

fn published_again(keys: &KeySet) {
    let hashname = keys.hashname().expect("there are keys");
    let texts = dns::texts(keys).expect("no key is known by its hash only");
    let records: Vec<TextRecord> = texts
        .into_iter()
        .map(|text| vec![text.into_bytes()])
        .collect();
    // A set of very long keys, which a reader pieced together, may take more strings than are read.
    if records.len() <= dns::MAX_TEXT_STRINGS {
        assert_eq!(dns::keys(&hashname, &records).as_ref(), Ok(keys));
    }
}

fn service_record(text: &[u8]) -> Option<ServiceRecord> {
    let mut fields = std::str::from_utf8(text).ok()?.split(' ');
    let mut number = || fields.next()?.parse().ok();
    Some(ServiceRecord {
        priority: number()?,
        weight: number()?,
        port: number()?,
        target: fields.next()?.to_owned(),
    })
}

/// Documents of the web, read as each of those that may come: what is found has keys that make its
/// hashname, and whatever is to be fetched is on https.
pub fn resolve_webfinger(data: &[u8]) {
    match webfinger::href(data) {
        Ok(Href::Uri(parsed)) => {
            let link = parsed.uri.link_json().expect("a link URI that has keys");
            named_by_keys(&link);
        }
        Ok(Href::Document(url)) => assert!(document::is_https(&url), "{url}"),
        Err(_) => {}
    }
    if let Ok(url) = jwks::location(data) {
        assert!(document::is_https(&url), "{url}");
    }
    if let Ok(link) = jwks::link(data) {
        named_by_keys(&link);
    }
    // A link JSON may leave the keys out; whoever fetched it checks that.
    if let Ok(link) = webfinger::link(data)
        && !link.keys.is_empty()
    {
        named_by_keys(&link);
    }
}

fn named_by_keys(link: &LinkJson) {
    assert_eq!(link.keys.hashname(), Some(link.hashname));
}

#[cfg(test)]
mod tests;
