//! TLS for whom certificates prove nothing: identity is E3X's.

use std::{io, sync::Arc};

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::{
    DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
};

use crate::config::Verification;

/// What both ends of a connection have to name (transports.md, "quic").
const ALPN: &[u8] = b"telehash/3";

/// The name in every certificate that is made here. It is the same everywhere, so that it tells
/// nothing of who is there.
const CERTIFICATE_NAME: &str = "telehash.invalid";

/// The TLS of an endpoint, both ways.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) server: Arc<QuicServerConfig>,
    pub(crate) client: Arc<QuicClientConfig>,
    /// Whom to expect when dialling. If that is nobody, the peer's address stands for it, which
    /// TLS does not send.
    pub(crate) server_name: Option<Arc<str>>,
}

impl Tls {
    /// With a certificate of our own making, for peers with any.
    pub(crate) fn anonymous() -> io::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        Self::new(server(&provider)?, client(&provider)?, None)
    }

    /// As the application wants it.
    pub(crate) fn verified(verification: &Verification) -> io::Result<Self> {
        let Verification {
            server,
            client,
            server_name,
        } = verification.clone();
        Self::new(server, client, Some(server_name))
    }

    fn new(
        mut server: rustls::ServerConfig,
        mut client: rustls::ClientConfig,
        server_name: Option<Arc<str>>,
    ) -> io::Result<Self> {
        server.alpn_protocols = vec![ALPN.to_vec()];
        client.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self {
            server: Arc::new(server.try_into().map_err(unusable)?),
            client: Arc::new(client.try_into().map_err(unusable)?),
            server_name,
        })
    }
}

fn server(provider: &Arc<CryptoProvider>) -> io::Result<rustls::ServerConfig> {
    let key = rcgen::KeyPair::generate().map_err(unusable)?;
    let mut parameters =
        rcgen::CertificateParams::new([CERTIFICATE_NAME.to_owned()]).map_err(unusable)?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    let certificate = parameters.self_signed(&key).map_err(unusable)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(vec![certificate.der().clone()], key.into())
        })
        .map_err(unusable)
}

fn client(provider: &Arc<CryptoProvider>) -> io::Result<rustls::ClientConfig> {
    let algorithms = provider.signature_verification_algorithms;
    let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(algorithms)))
        .with_no_client_auth())
}

fn unusable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}

/// Accepts every certificate whose key the peer has.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
