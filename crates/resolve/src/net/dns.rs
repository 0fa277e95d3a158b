//! Asking name servers.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use telehash_hashname::LinkJson;

use crate::dns::{self, ServiceHost, ServiceRecord, TextRecord};
use crate::{DnsError, Found, LookUpError, LookUps, Place, Source};

/// The first of the domain's hosts whose records are in order.
pub(crate) async fn find(look_ups: &LookUps, place: &Place) -> Result<Found, LookUpError> {
    let names = Names::new(&look_ups.name_servers)?;
    let mut first_error = None;
    for host in names.hosts(place).await? {
        match names.link(&host).await {
            Ok(link) => {
                return Ok(Found {
                    source: Source::Dns,
                    link,
                    uri: None,
                });
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or(DnsError::NoService).into())
}

/// The name servers, as they are at this moment.
pub(crate) struct Names(TokioResolver);

impl Names {
    /// These servers, or the system's if none is named.
    pub(crate) fn new(servers: &[SocketAddr]) -> Result<Self, DnsError> {
        let builder = match servers.is_empty() {
            true => TokioResolver::builder_tokio(),
            false => {
                let servers = servers.iter().copied().map(name_server).collect();
                let config = ResolverConfig::from_name_servers(servers);
                let provider = TokioRuntimeProvider::default();
                Ok(TokioResolver::builder_with_config(config, provider))
            }
        };
        let resolver = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            options.try_tcp_on_error = true;
            builder.build()
        });
        let unusable = |error: NetError| DnsError::NoNameServers {
            reason: error.to_string(),
        };
        Ok(Self(resolver.map_err(unusable)?))
    }

    async fn hosts(&self, place: &Place) -> Result<Vec<ServiceHost>, DnsError> {
        if let Some(host) = dns::named_host(place) {
            return Ok(vec![host.expected(place.hashname())?]);
        }
        let name = dns::service_name(place.domain());
        let service = |data: &RData| match data {
            RData::SRV(record) => Some(ServiceRecord {
                priority: record.priority,
                weight: record.weight,
                port: record.port,
                target: record.target.to_ascii(),
            }),
            _ => None,
        };
        let records = self.records(&name, RecordType::SRV, service).await?;
        dns::hosts(records, place.hashname())
    }

    /// The endpoint of a host, with its keys and paths.
    async fn link(&self, host: &ServiceHost) -> Result<LinkJson, DnsError> {
        let strings = |data: &RData| match data {
            RData::TXT(record) => Some(record.txt_data.iter().map(|text| text.to_vec()).collect()),
            _ => None,
        };
        let texts: Vec<TextRecord> = self.records(&host.name, RecordType::TXT, strings).await?;
        let mut link = LinkJson::named(host.hashname);
        link.keys = dns::keys(&host.hashname, &texts)?;
        link.paths = host.paths(&self.addresses(&host.name).await?);
        match link.paths.is_empty() {
            true => Err(DnsError::NoAddress {
                hashname: host.hashname,
            }),
            false => Ok(link),
        }
    }

    /// The addresses of a host, of both families; none if it has none.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        match self.0.lookup_ip(name(host)?).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) => none_or(host, &error),
        }
    }

    /// What the records of this type say; nothing if there are none.
    async fn records<T>(
        &self,
        host: &str,
        kind: RecordType,
        read: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, DnsError> {
        match self.0.lookup(name(host)?, kind).await {
            Ok(found) => {
                let data = found.answers().iter().map(|record| &record.data);
                Ok(data.filter_map(read).collect())
            }
            Err(error) => none_or(host, &error),
        }
    }
}

/// No record is an answer, too.
fn none_or<T>(host: &str, error: &NetError) -> Result<Vec<T>, DnsError> {
    match error.is_no_records_found() || error.is_nx_domain() {
        true => Ok(Vec::new()),
        false => Err(DnsError::Unanswered {
            name: host.to_owned(),
            reason: error.to_string(),
        }),
    }
}

/// A whole name: nothing is searched for below the system's own domains.
fn name(host: &str) -> Result<Name, DnsError> {
    Name::from_ascii(format!("{host}.")).map_err(|error| DnsError::Name {
        name: host.to_owned(),
        reason: error.to_string(),
    })
}

fn name_server(at: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
    let at_port = connections.into_iter().map(|mut connection| {
        connection.port = at.port();
        connection
    });
    NameServerConfig::new(at.ip(), true, at_port.collect())
}
