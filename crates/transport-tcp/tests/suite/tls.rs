//! Two transports with TLS, and others who come to its port.

use std::{net::SocketAddr, sync::Arc};

use crate::common::{Node, V4, loopbacks, rest, run, until, write};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName},
};
use telehash_hashname::Path;
use telehash_transport::{
    CloakPolicy, CloseReason, Transmit, Transport, TransportError, TransportEvent, TransportExt,
};
use telehash_transport_tcp::{ALPN, FIRST_PACKET_TIMEOUT, TcpTransport, TlsConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

async fn node(config: TlsConfig) -> Node {
    Node::of(TcpTransport::bind_tls(&config).await.unwrap())
}

fn at(address: &str) -> TlsConfig {
    TlsConfig::at(address.parse().unwrap())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A server's configuration with a certificate for this name, and the certificate.
fn server_for(name: &str) -> (Arc<ServerConfig>, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    (Arc::new(config), certificate)
}

/// A client's configuration that trusts these certificates.
fn client_trusting(certificates: &[CertificateDer<'static>]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[tokio::test]
async fn packets_go_there_and_back_over_tls() {
    for address in loopbacks() {
        let (mut a, mut b) = (node(at(address)).await, node(at(address)).await);
        let path = b.transport.local_paths()[0].clone();
        assert!(matches!(path, Path::Tls4(_) | Path::Tls6(_)));
        let to_b = a.transport.dial(&path).await.unwrap();
        a.transport.keep(&to_b);
        a.transport
            .send(&Transmit::packet(to_b, b"hello"))
            .await
            .unwrap();
        let (to_a, packet) = b.meet().await;
        assert_eq!(packet, b"hello");
        let run = run(1_000, 1_400);
        let there = Transmit::run(to_b, &run, 1_400);
        let back = Transmit::run(to_a, &run, 1_400);
        let (ours, theirs) = (a.transport.clone(), b.transport.clone());
        let (sent, answered, received, answers) = tokio::join!(
            ours.send(&there),
            theirs.send(&back),
            b.packets(1_000),
            a.packets(1_000)
        );
        sent.and(answered).unwrap();
        assert!(received.concat() == run && answers.concat() == run);

        let capabilities = a.transport.capabilities(&to_b);
        assert!(capabilities.loopback && capabilities.cloak == CloakPolicy::Never);
        assert_eq!(a.transport.name(), "tls");
        a.transport.close_pipe(&to_b);
        let closed = TransportEvent::PipeClosed(to_a, CloseReason::Peer);
        assert_eq!(b.event().await, closed);
    }
}

#[tokio::test]
async fn closing_lets_everything_leave_over_tls() {
    let (a, mut b) = (node(at(V4)).await, node(at(V4)).await);
    let to_b = a.dial(&b).await;
    a.transport.keep(&to_b);
    let run = run(2_000, 1_400);
    let transmit = Transmit::run(to_b, &run, 1_400);
    let taken = a.transport.try_send(&transmit).unwrap();
    let first = b.meet().await.1;
    let (others, ()) = tokio::join!(b.packets(taken / 1_400 - 1), a.transport.close());
    assert!([first, others.concat()].concat() == run[..taken]);
    let TransportEvent::PipeClosed(_, reason) = b.event().await else {
        panic!("the pipe is closed")
    };
    assert_eq!(reason, CloseReason::Peer);
}

#[tokio::test]
async fn a_peer_that_is_not_trusted_is_not_connected_to() {
    let (_, stranger) = server_for("127.0.0.1");
    let a = node(at(V4).client(client_trusting(&[stranger]))).await;
    let b = node(at(V4)).await;
    let error = a
        .transport
        .dial(&b.transport.local_paths()[0])
        .await
        .unwrap_err();
    assert!(matches!(error, TransportError::Dial { .. }));
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(a.transport.stats().connections, 0);
    until(|| b.transport.stats().handshakes_failed == 1).await;
    assert_eq!(b.transport.stats().connections, 0);
}

#[tokio::test]
async fn a_peer_is_trusted_by_its_address_or_by_a_name() {
    for name in ["127.0.0.1", "mesh.example"] {
        let (server, certificate) = server_for(name);
        let mut config = at(V4).client(client_trusting(&[certificate]));
        if name != "127.0.0.1" {
            config = config.server_name(ServerName::try_from(name).unwrap());
        }
        let (a, mut b) = (node(config).await, node(at(V4).server(server)).await);
        let to_b = a.dial(&b).await;
        a.transport
            .send(&Transmit::packet(to_b, b"hello"))
            .await
            .unwrap();
        assert_eq!(b.packet().await.1, b"hello");
    }
}

#[tokio::test]
async fn plain_tcp_at_a_port_for_tls_gets_nowhere() {
    let (a, b) = (Node::at(V4).await, node(at(V4)).await);
    let to_b = a.transport.dial(&Path::tcp(b.address())).await.unwrap();
    a.transport
        .send(&Transmit::packet(to_b, b"hello"))
        .await
        .unwrap();
    until(|| b.transport.stats().handshakes_failed == 1).await;
    assert_eq!(b.transport.stats().connections, 0);
    until(|| a.transport.stats().connections == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
    let b = node(at(V4)).await;
    let mut peer = b.raw_peer().await;
    until(|| b.transport.stats().strangers == 1).await;
    let from = tokio::time::Instant::now();
    write(&mut peer, b"\x16\x03\x01").await;
    assert_eq!(rest(&mut peer).await, b"");
    assert!(from.elapsed() >= FIRST_PACKET_TIMEOUT);
    assert_eq!(b.transport.stats().connections, 0);
}

#[tokio::test]
async fn tls_for_something_else_is_refused() {
    let b = node(at(V4)).await;
    for (protocols, alpn) in [
        (vec![], false),
        (vec![b"h2".to_vec()], false),
        (vec![ALPN.to_vec()], true),
    ] {
        let mut client = client_trusting(&[]).as_ref().clone();
        client.alpn_protocols = protocols;
        client
            .dangerous()
            .set_certificate_verifier(any_certificate());
        let stream = TcpStream::connect(b.address()).await.unwrap();
        let name = ServerName::try_from("telehash").unwrap();
        let connected = TlsConnector::from(Arc::new(client))
            .connect(name, stream)
            .await;
        let failures = b.transport.stats().handshakes_failed;
        if alpn {
            until(|| b.transport.stats().connections == 1).await;
            assert_eq!(failures, 2);
        } else {
            until(|| b.transport.stats().handshakes_failed > 0).await;
            until(|| b.transport.stats().connections == 0).await;
        }
        drop(connected);
        until(|| b.transport.stats().connections == 0).await;
    }
}

#[tokio::test]
async fn the_certificate_names_nobody() {
    let b = node(at(V4)).await;
    let mut client = client_trusting(&[]).as_ref().clone();
    client.alpn_protocols = vec![ALPN.to_vec()];
    client
        .dangerous()
        .set_certificate_verifier(any_certificate());
    let stream = TcpStream::connect(b.address()).await.unwrap();
    let name = ServerName::try_from("telehash").unwrap();
    let connected = TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await;
    let connected = connected.unwrap();
    let certificate = connected.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let names = certificate
        .windows(8)
        .filter(|window| window == b"telehash");
    // Issuer, subject, and the name that it is for.
    assert_eq!(names.count(), 3);
    assert!(certificate.len() < 400);
}

#[tokio::test]
async fn tls_paths_are_of_their_own_kind() {
    let a = TcpTransport::bind_tls(&at(V4)).await.unwrap();
    let address: SocketAddr = "127.0.0.1:7".parse().unwrap();
    assert!(a.dialable(&Path::tls(address)));
    for path in [Path::tcp(address), Path::quic(address), Path::udp(address)] {
        assert!(!a.dialable(&path), "{path}");
    }
}

/// Any certificate will do: these tests look at what comes after.
fn any_certificate() -> Arc<dyn rustls::client::danger::ServerCertVerifier> {
    #[derive(Debug)]
    struct Any;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    impl ServerCertVerifier for Any {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: rustls::pki_types::UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }
        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            provider()
                .signature_verification_algorithms
                .supported_schemes()
        }
    }
    Arc::new(Any)
}
