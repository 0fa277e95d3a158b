//! TLS for whom certificates prove nothing: whom a link is with is proved inside, by E3X.

use std::{io, sync::Arc};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::{
    ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls13_signature},
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime},
    version::TLS13,
};

/// What both ends of a connection have to name (transports.md, "tls" and "quic").
pub const ALPN: &[u8] = b"telehash/3";

/// The name in every certificate that is made here. It is the same everywhere, so that it tells
/// nothing of who is there.
const CERTIFICATE_NAME: &str = "telehash";

/// Listens with a certificate of its own making, and asks for none. TLS 1.3 only.
///
/// # Errors
/// No certificate could be made: the system has no randomness.
pub fn server() -> io::Result<ServerConfig> {
    let key = KeyPair::generate().map_err(unusable)?;
    let mut parameters = CertificateParams::new([CERTIFICATE_NAME.to_owned()]).map_err(unusable)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, CERTIFICATE_NAME);
    parameters.distinguished_name = name;
    let certificate = parameters.self_signed(&key).map_err(unusable)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .and_then(|builder| {
            let chain = vec![certificate.der().clone()];
            builder
                .with_no_client_auth()
                .with_single_cert(chain, key.into())
        })
        .map_err(unusable)
}

/// Dials whoever is there, whatever certificate they have. TLS 1.3 only.
///
/// # Errors
/// The provider of cryptography lacks TLS 1.3.
pub fn client() -> io::Result<ClientConfig> {
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable)?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(algorithms)))
        .with_no_client_auth())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
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
        Err(rustls::PeerIncompatible::Tls12NotOffered.into())
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
