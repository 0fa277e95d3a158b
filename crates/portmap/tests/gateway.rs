//! Mapping at a gateway over the real protocols, the gateway being good and bad.
#![cfg(target_os = "linux")]

mod namespace;

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

use telehash_portmap::server::{self, Description, Temper};
use telehash_portmap::{MapError, Mapper, Method, Port, Protocol, Report, probe};
use tokio::runtime::Runtime;

use namespace::behind_a_gateway;

const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 42, 42, 1);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 42, 42, 2);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

fn port(protocol: Protocol) -> Port {
    Port {
        protocol,
        address: SocketAddrV4::new(HOST, 4242),
    }
}

fn good(methods: &[Method]) -> Description {
    Description {
        address: GATEWAY,
        external: OUTSIDE,
        methods: methods.to_vec(),
        temper: Temper::Good,
        location: None,
        epoch: 1000,
    }
}

/// A server that does what it is asked for, nothing else.
fn serve(description: Description) -> impl FnOnce() {
    || server::start(description, |_| {}).unwrap()
}

fn keep(ports: &[Port], look: impl FnOnce(Report)) {
    Runtime::new().unwrap().block_on(async {
        let mut mapper = Mapper::new();
        look(mapper.keep(ports).await);
        // And once more, which is to renew.
        let again = mapper.keep(ports).await;
        assert!(again.mappings.len() <= ports.len(), "{again:?}");
        mapper.release().await;
    });
}

/// Both kinds of ports are mapped by this method, renewed, and given back.
fn maps_by(test: &str, method: Method) {
    let gateway = move || {
        let tell = |change: server::Change| match change.lifetime {
            0 => println!("returned {:?}", change.port.protocol),
            _ => println!("mapped {:?}", change.port.protocol),
        };
        server::start(good(&[method]), tell).unwrap();
    };
    let said = behind_a_gateway(test, gateway, || {
        let ports = [Protocol::Udp, Protocol::Tcp].map(port);
        keep(&ports, |report| {
            assert_eq!(report.problem, None);
            let externals = report.mappings.iter().map(|mapping| {
                assert_eq!(mapping.method, method);
                (mapping.port.protocol, mapping.external)
            });
            let outside = SocketAddrV4::new(OUTSIDE, 4242);
            let expected = [(Protocol::Udp, outside), (Protocol::Tcp, outside)];
            assert_eq!(externals.collect::<Vec<_>>(), expected);
        });
    });
    let Some(said) = said else { return };
    let changes: Vec<_> = said.lines().filter(|line| line.contains("ed ")).collect();
    let round = ["mapped Udp", "mapped Tcp"];
    let back = ["returned Udp", "returned Tcp"];
    assert_eq!(changes, [round, round, back].concat());
}

#[test]
fn a_gateway_maps_by_pcp() {
    maps_by("a_gateway_maps_by_pcp", Method::Pcp);
}

#[test]
fn a_gateway_maps_by_nat_pmp() {
    maps_by("a_gateway_maps_by_nat_pmp", Method::NatPmp);
}

#[test]
fn a_gateway_maps_by_upnp() {
    maps_by("a_gateway_maps_by_upnp", Method::Upnp);
}

/// Nothing is mapped, and every method says why.
fn refused_by(test: &str, temper: Temper) {
    let description = Description {
        temper,
        ..good(&Method::ALL)
    };
    behind_a_gateway(test, serve(description), || {
        keep(&[port(Protocol::Udp)], |report| {
            assert!(report.mappings.is_empty(), "{report:?}");
            let Some(MapError::Refused { refusals, .. }) = report.problem else {
                panic!("{:?}", report.problem);
            };
            let methods: Vec<_> = refusals.iter().map(|refusal| refusal.method).collect();
            assert_eq!(methods, Method::ALL);
        });
    });
}

#[test]
fn a_gateway_that_refuses_maps_nothing() {
    refused_by("a_gateway_that_refuses_maps_nothing", Temper::Refusing);
}

#[test]
fn a_gateway_that_says_too_little_maps_nothing() {
    refused_by("a_gateway_that_says_too_little_maps_nothing", Temper::Short);
}

#[test]
fn a_silent_gateway_maps_nothing() {
    refused_by("a_silent_gateway_maps_nothing", Temper::Silent);
}

#[test]
fn an_answer_to_another_request_maps_nothing() {
    let test = "an_answer_to_another_request_maps_nothing";
    let description = Description {
        temper: Temper::Mistaken,
        ..good(&[Method::Pcp, Method::NatPmp])
    };
    behind_a_gateway(test, serve(description), || {
        keep(&[port(Protocol::Udp)], |report| {
            assert!(report.mappings.is_empty(), "{report:?}");
            assert!(matches!(report.problem, Some(MapError::Refused { .. })));
        });
    });
}

#[test]
fn a_private_outer_address_is_told_and_not_offered() {
    let test = "a_private_outer_address_is_told_and_not_offered";
    let description = Description {
        external: Ipv4Addr::new(192, 168, 7, 7),
        ..good(&Method::ALL)
    };
    behind_a_gateway(test, serve(description), || {
        keep(&[port(Protocol::Udp)], |report| {
            assert!(report.mappings.is_empty(), "{report:?}");
            let problem = report.problem.unwrap();
            assert!(matches!(problem, MapError::DoubleNat { .. }), "{problem}");
        });
    });
}

#[test]
fn a_gateway_that_began_anew_is_believed_again() {
    let test = "a_gateway_that_began_anew_is_believed_again";
    let description = Description {
        epoch: 0,
        ..good(&[Method::Pcp])
    };
    behind_a_gateway(test, serve(description), || {
        keep(&[port(Protocol::Udp)], |report| {
            assert_eq!(report.mappings.len(), 1, "{report:?}");
        });
    });
}

#[test]
fn nobody_but_the_gateway_is_asked_what_its_device_can() {
    let test = "nobody_but_the_gateway_is_asked_what_its_device_can";
    // Its answer leads to a service of the host's own.
    let elsewhere = SocketAddrV4::new(Ipv4Addr::new(10, 42, 42, 3), 8080);
    let description = Description {
        location: Some(elsewhere),
        ..good(&[Method::Upnp])
    };
    behind_a_gateway(test, serve(description), || {
        let service = TcpListener::bind(elsewhere).unwrap();
        service.set_nonblocking(true).unwrap();
        keep(&[port(Protocol::Udp)], |report| {
            assert!(report.mappings.is_empty(), "{report:?}");
        });
        assert!(service.accept().is_err(), "somebody fetched from it");
    });
}

#[test]
fn a_gateway_is_asked_what_it_speaks_without_mapping_anything() {
    let test = "a_gateway_is_asked_what_it_speaks_without_mapping_anything";
    let gateway = || {
        let tell = |change: server::Change| println!("changed {}", change.lifetime);
        server::start(good(&Method::ALL), tell).unwrap();
    };
    let said = behind_a_gateway(test, gateway, || {
        let found = Runtime::new().unwrap().block_on(probe()).unwrap();
        assert_eq!(found.gateway.address, GATEWAY);
        let answers = found.answers.into_iter();
        let answers: Vec<_> = answers
            .map(|answer| (answer.method, answer.result))
            .collect();
        let expected = [
            (Method::Pcp, Ok(None)),
            (Method::NatPmp, Ok(Some(OUTSIDE))),
            (Method::Upnp, Ok(Some(OUTSIDE))),
        ];
        assert_eq!(answers, expected);
    });
    let Some(said) = said else { return };
    // The end of a mapping that there is not.
    let changes = said.lines().filter(|line| line.starts_with("changed"));
    assert_eq!(changes.collect::<Vec<_>>(), ["changed 0"]);
}
