//! Host names, as the system resolves them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use telehash_hashname::Path;
use telehash_uri::{Host, LinkUri};

/// How long a host name may take to become addresses.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Addresses used of one host name; more are ignored.
const MAX_HOST_ADDRESSES: usize = 4;

/// The paths that follow from the host of a URI, if that is a name.
pub(crate) async fn paths_of_host(uri: &LinkUri) -> Vec<Path> {
    let Some(Host::Domain(name)) = uri.host() else {
        return Vec::new();
    };
    let addresses = addresses_of(name, uri.port()).await;
    addresses
        .into_iter()
        .flat_map(|ip| uri.paths_at(ip))
        .collect()
}

/// The addresses of a host, as the system knows them; none if it does not, or takes too long.
async fn addresses_of(host: &str, port: u16) -> Vec<IpAddr> {
    let lookup = tokio::net::lookup_host((host, port));
    match tokio::time::timeout(LOOKUP_TIMEOUT, lookup).await {
        Ok(Ok(found)) => used(found),
        _ => Vec::new(),
    }
}

fn used(found: impl Iterator<Item = SocketAddr>) -> Vec<IpAddr> {
    let ips = found.map(|address| address.ip());
    ips.take(MAX_HOST_ADDRESSES).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_host_with_many_addresses_the_first_few_are_used() {
        let addresses =
            |count: usize| (1..=count).map(|host| IpAddr::from([192, 0, 2, host as u8]));
        let found = |count| addresses(count).map(|ip| SocketAddr::new(ip, 42424));
        for count in [MAX_HOST_ADDRESSES, MAX_HOST_ADDRESSES + 1] {
            let first: Vec<_> = addresses(MAX_HOST_ADDRESSES).collect();
            assert_eq!(used(found(count)), first);
        }
    }
}
