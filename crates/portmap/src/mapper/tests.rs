//! Rounds with a gateway that says what a test wants, in simulated time.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::*;
use crate::ask::Handle;
use crate::limits::{LEASE, SHORTEST_PAUSE};
use crate::port::Protocol;

const LOCAL: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 2);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

/// A gateway that knows some methods.
#[derive(Debug)]
struct Told {
    gateway: Option<Gateway>,
    methods: Vec<Method>,
    external: Ipv4Addr,
    lifetime: Duration,
    asked: Vec<(Method, Port, bool)>,
    returned: Vec<Port>,
    hangs: bool,
    /// What is added to the inner port for the outer one.
    shift: u16,
}

impl Ask for Told {
    fn gateway(&self) -> Option<Gateway> {
        self.gateway
    }

    async fn map(
        &mut self,
        _: Gateway,
        method: Method,
        port: Port,
        last: Option<Grant>,
    ) -> Result<Grant, Refusal> {
        self.asked.push((method, port, last.is_some()));
        if !self.methods.contains(&method) {
            return Err(Refusal::new(method, "silence"));
        }
        Ok(Grant {
            external: SocketAddrV4::new(self.external, port.address.port() + self.shift),
            lifetime: self.lifetime,
            handle: match method {
                Method::Pcp => Handle::Pcp {
                    nonce: [0; 3],
                    external: self.external.into(),
                },
                Method::NatPmp => Handle::NatPmp,
                Method::Upnp => Handle::Upnp,
            },
        })
    }

    async fn unmap(&mut self, _: Gateway, port: Port, _: Grant) -> Result<(), Refusal> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        self.returned.push(port);
        Ok(())
    }
}

fn keeper(methods: &[Method]) -> Keeper<Told> {
    Keeper::new(Told {
        gateway: Some(Gateway {
            address: Ipv4Addr::new(192, 168, 1, 1),
            local: LOCAL,
        }),
        methods: methods.to_vec(),
        external: OUTSIDE,
        lifetime: LEASE,
        asked: Vec::new(),
        returned: Vec::new(),
        hangs: false,
        shift: 0,
    })
}

fn udp(number: u16) -> Port {
    Port {
        protocol: Protocol::Udp,
        address: SocketAddrV4::new(LOCAL, number),
    }
}

#[tokio::test(start_paused = true)]
async fn methods_are_tried_in_order_and_what_worked_is_kept_to() {
    let mut keeper = keeper(&[Method::NatPmp, Method::Upnp]);
    let report = keeper.keep(&[udp(1), udp(2)]).await;
    assert_eq!(report.problem, None);
    assert_eq!(report.mappings.len(), 2);
    let tried = [
        (Method::Pcp, udp(1), false),
        (Method::NatPmp, udp(1), false),
        (Method::NatPmp, udp(2), false),
    ];
    assert_eq!(keeper.asker.asked, tried);
    keeper.asker.asked.clear();
    keeper.keep(&[udp(1), udp(2)]).await;
    let renewed = [1, 2].map(|number| (Method::NatPmp, udp(number), true));
    assert_eq!(keeper.asker.asked, renewed);
}

#[tokio::test(start_paused = true)]
async fn a_mapping_stands_until_its_lease_ends_though_renewing_fails() {
    let mut keeper = keeper(&[Method::Pcp]);
    let report = keeper.keep(&[udp(1)]).await;
    assert!(report.again_in < LEASE, "{report:?}");
    keeper.asker.methods.clear();
    tokio::time::advance(LEASE / 2).await;
    let report = keeper.keep(&[udp(1)]).await;
    assert_eq!(report.mappings.len(), 1);
    assert!(matches!(report.problem, Some(MapError::Refused { .. })));
    tokio::time::advance(LEASE / 2).await;
    assert!(keeper.keep(&[udp(1)]).await.mappings.is_empty());
    keeper.asker.methods.push(Method::Upnp);
    let report = keeper.keep(&[udp(1)]).await;
    assert_eq!(report.mappings[0].method, Method::Upnp);
    assert_eq!(report.problem, None);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_behind_another_nat_is_told_and_maps_nothing() {
    let mut keeper = keeper(&Method::ALL);
    keeper.asker.external = Ipv4Addr::new(100, 64, 0, 9);
    let report = keeper.keep(&[udp(1), udp(2)]).await;
    let problem = report.problem.unwrap();
    assert!(matches!(problem, MapError::DoubleNat { .. }), "{problem}");
    assert!(report.mappings.is_empty());
    assert_eq!(keeper.asker.asked.len(), 1);
    assert_eq!(keeper.asker.returned, [udp(1)]);
}

#[tokio::test(start_paused = true)]
async fn an_address_where_nobody_can_be_is_not_believed() {
    for external in ["127.0.0.1", "0.0.0.0", "224.0.0.1", "169.254.0.1"] {
        let mut keeper = keeper(&Method::ALL);
        keeper.asker.external = external.parse().unwrap();
        let report = keeper.keep(&[udp(1)]).await;
        assert!(report.mappings.is_empty(), "{report:?}");
        assert!(matches!(report.problem, Some(MapError::Refused { .. })));
        assert_eq!(keeper.asker.returned.len(), Method::ALL.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_of_nothing_is_none_and_a_short_one_causes_no_storm() {
    let mut keeper = keeper(&[Method::Pcp]);
    keeper.asker.lifetime = Duration::ZERO;
    assert!(keeper.keep(&[udp(1)]).await.mappings.is_empty());
    keeper.asker.lifetime = Duration::from_secs(1);
    let report = keeper.keep(&[udp(1)]).await;
    assert_eq!(report.mappings.len(), 1);
    assert_eq!(report.again_in, SHORTEST_PAUSE);
}

#[tokio::test(start_paused = true)]
async fn a_lease_for_ever_is_asked_for_again_all_the_same() {
    let mut keeper = keeper(&[Method::Pcp]);
    keeper.asker.lifetime = Duration::from_secs(u32::MAX.into());
    let report = keeper.keep(&[udp(1)]).await;
    assert!(report.again_in < LEASE, "{report:?}");
    tokio::time::advance(LEASE).await;
    keeper.asker.methods.clear();
    assert!(keeper.keep(&[udp(1)]).await.mappings.is_empty());
}

#[tokio::test(start_paused = true)]
async fn ports_on_other_networks_and_too_many_are_left_out_and_those_gone_are_returned() {
    let mut keeper = keeper(&[Method::Pcp]);
    let elsewhere = Port {
        address: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1),
        ..udp(1)
    };
    let report = keeper.keep(&[elsewhere]).await;
    assert_eq!(report.problem, Some(MapError::NoPort { local: LOCAL }));
    assert!(keeper.asker.asked.is_empty());
    let many: Vec<Port> = (1..=MAX_PORTS as u16 + 1).map(udp).collect();
    let report = keeper.keep(&many).await;
    assert_eq!(report.mappings.len(), MAX_PORTS);
    let report = keeper.keep(&[udp(1)]).await;
    assert_eq!(report.mappings.len(), 1);
    assert_eq!(keeper.asker.returned.len(), MAX_PORTS - 1);
}

#[tokio::test(start_paused = true)]
async fn another_gateway_is_asked_anew_and_none_ends_all() {
    let mut keeper = keeper(&[Method::Pcp]);
    keeper.keep(&[udp(1)]).await;
    keeper.asker.asked.clear();
    keeper.asker.gateway.as_mut().unwrap().address = Ipv4Addr::new(192, 168, 1, 254);
    assert_eq!(keeper.keep(&[udp(1)]).await.mappings.len(), 1);
    assert_eq!(keeper.asker.asked, [(Method::Pcp, udp(1), false)]);
    assert!(keeper.asker.returned.is_empty());
    keeper.asker.gateway = None;
    let report = keeper.keep(&[udp(1)]).await;
    assert_eq!(report.problem, Some(MapError::NoGateway));
    assert!(report.mappings.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_takes_nothing_back_holds_nobody_up() {
    let mut keeper = keeper(&[Method::Pcp]);
    keeper.keep(&[udp(1), udp(2)]).await;
    keeper.asker.hangs = true;
    let start = Instant::now();
    keeper.release().await;
    assert!(start.elapsed().abs_diff(RELEASE_TIMEOUT) < Duration::from_millis(10));
}

/// It may be for ever.
#[tokio::test(start_paused = true)]
async fn a_mapping_by_upnp_is_taken_back_when_another_takes_its_place() {
    let mut keeper = keeper(&[Method::Upnp]);
    keeper.keep(&[udp(1)]).await;
    keeper.asker.shift = 1;
    let report = keeper.keep(&[udp(1)]).await;
    assert_eq!(report.mappings[0].external.port(), 2);
    assert_eq!(keeper.asker.returned, [udp(1)]);
    // The same again is nothing new.
    keeper.keep(&[udp(1)]).await;
    assert_eq!(keeper.asker.returned, [udp(1)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_wanted_any_more_is_not_forgotten_before_it_is_taken_back() {
    let mut keeper = keeper(&[Method::Upnp]);
    keeper.keep(&[udp(1), udp(2)]).await;
    keeper.asker.hangs = true;
    let wanted = [udp(2)];
    let given_up = timeout(Duration::from_secs(1), keeper.keep(&wanted)).await;
    assert!(given_up.is_err());
    assert_eq!(keeper.leases.len(), 2, "whoever releases knows of both");
}
