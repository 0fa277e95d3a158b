//! TLS between packets and TCP (transports.md, "tls").

mod config;

use std::{io, net::SocketAddr, sync::Arc};

use rustls::{CommonState, client::Resumption, pki_types::ServerName};
use telehash_transport::tls;
pub use telehash_transport::tls::ALPN;
use tokio::{
    io::{self as tokio_io},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

pub use config::TlsConfig;

use crate::{
    half::{self, Halves},
    layer::Handshake,
};

pub(crate) type ReadHalf = tokio_io::ReadHalf<TlsStream<TcpStream>>;
pub(crate) type WriteHalf = tokio_io::WriteHalf<TlsStream<TcpStream>>;

/// How TLS is spoken.
#[derive(Debug)]
pub(crate) struct TlsLayer {
    client: Arc<rustls::ClientConfig>,
    server: Arc<rustls::ServerConfig>,
    name: Option<ServerName<'static>>,
}

impl TlsLayer {
    /// What `config` asks for; a certificate is made if it brings none.
    pub(crate) fn new(config: &TlsConfig) -> io::Result<Self> {
        let mut client = match &config.client {
            Some(client) => client.as_ref().clone(),
            None => client()?,
        };
        let mut server = match &config.server {
            Some(server) => server.as_ref().clone(),
            None => server()?,
        };
        client.alpn_protocols = vec![ALPN.to_vec()];
        server.alpn_protocols = vec![ALPN.to_vec()];
        let name = config.name.clone();
        let (client, server) = (Arc::new(client), Arc::new(server));
        Ok(Self {
            client,
            server,
            name,
        })
    }

    pub(crate) fn accept(&self, stream: TcpStream) -> Handshake {
        let accept = TlsAcceptor::from(self.server.clone()).accept(stream);
        Handshake(Box::pin(async {
            let stream = accept.await?;
            halves(stream.into())
        }))
    }

    pub(crate) async fn connect(&self, stream: TcpStream, to: SocketAddr) -> io::Result<Halves> {
        // A path has an address and no name. None is sent then, either.
        let name = self
            .name
            .clone()
            .unwrap_or_else(|| ServerName::IpAddress(to.ip().into()));
        let connector = TlsConnector::from(self.client.clone());
        let stream = connector.connect(name, stream).await?;
        halves(stream.into())
    }
}

/// Sessions are not resumed: that would tell servers who comes again.
fn client() -> io::Result<rustls::ClientConfig> {
    let mut client = tls::client()?;
    client.resumption = Resumption::disabled();
    Ok(client)
}

fn server() -> io::Result<rustls::ServerConfig> {
    let mut server = tls::server()?;
    server.send_tls13_tickets = 0;
    Ok(server)
}

fn halves(stream: TlsStream<TcpStream>) -> io::Result<Halves> {
    let (_, session): (_, &CommonState) = stream.get_ref();
    if session.alpn_protocol() != Some(ALPN) {
        let text = "the peer speaks TLS, but not telehash on it";
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let (read, write) = tokio_io::split(stream);
    Ok((half::ReadHalf::Tls(read), half::WriteHalf::Tls(write)))
}
