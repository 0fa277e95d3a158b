//! A name server of one zone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_server::Server;
use hickory_server::proto::rr::rdata::{A, AAAA, SOA, SRV, TXT};
use hickory_server::proto::rr::{Name, RData, Record};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use tokio::net::{TcpListener, UdpSocket};

/// It serves until it is dropped.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    _server: Server<Catalog>,
}

/// `example.org`, to be filled.
#[derive(Default)]
pub(crate) struct Zone(Vec<(String, RData)>);

impl Zone {
    pub(crate) fn service(self, priority: u16, port: u16, target: &str) -> Self {
        let data = RData::SRV(SRV::new(priority, 0, port, name(target)));
        self.with("_link._udp.example.org", data)
    }

    pub(crate) fn text(self, host: &str, text: &str) -> Self {
        let data = RData::TXT(TXT::new(vec![text.to_owned()]));
        self.with(host, data)
    }

    pub(crate) fn address(self, host: &str, address: [u8; 4]) -> Self {
        self.with(host, RData::A(A(address.into())))
    }

    pub(crate) fn address6(self, host: &str, address: [u16; 8]) -> Self {
        self.with(host, RData::AAAA(AAAA(address.into())))
    }

    fn with(mut self, host: &str, data: RData) -> Self {
        self.0.push((host.to_owned(), data));
        self
    }

    pub(crate) async fn serve(self) -> NameServer {
        let origin = name("example.org");
        let mut zone: InMemoryZoneHandler =
            InMemoryZoneHandler::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny);
        let soa = SOA::new(origin.clone(), origin.clone(), 1, 60, 60, 60, 60);
        zone.upsert_mut(Record::from_rdata(origin.clone(), 60, RData::SOA(soa)), 1);
        for (host, data) in self.0 {
            assert!(
                zone.upsert_mut(Record::from_rdata(name(&host), 60, data), 1),
                "{host}"
            );
        }
        let mut catalog = Catalog::new();
        catalog.upsert(origin.into(), vec![Arc::new(zone)]);
        let (udp, tcp) = sockets().await;
        let address = tcp.local_addr().unwrap();
        let mut server = Server::new(catalog);
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(5), 4096);
        NameServer {
            address,
            _server: server,
        }
    }
}

/// A UDP and a TCP socket with the same free port.
async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Somebody else may have that port of UDP.
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

fn name(host: &str) -> Name {
    let absolute = format!("{}.", host.trim_end_matches('.'));
    Name::from_ascii(absolute).unwrap()
}
