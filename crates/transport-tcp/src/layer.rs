//! What lies between packets and TCP: nothing, or TLS.

use std::{fmt, future::Future, io, net::SocketAddr, pin::Pin};

use telehash_hashname::Path;
use telehash_transport::CloakPolicy;
use tokio::net::TcpStream;

use crate::half::{self, Halves};
#[cfg(feature = "tls")]
use crate::tls::TlsLayer;

/// What lies between packets and TCP.
#[derive(Debug)]
pub(crate) enum Layer {
    Plain {
        always_cloak: bool,
    },
    #[cfg(feature = "tls")]
    Tls(TlsLayer),
}

/// A peer's connection, in which packets can flow now or after a handshake.
pub(crate) enum Accepted {
    Open(Halves),
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "of TLS alone"))]
    Handshake(Handshake),
}

/// A handshake of a peer, which needs to be polled.
pub(crate) struct Handshake(pub(crate) Pin<Box<dyn Future<Output = io::Result<Halves>> + Send>>);

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handshake")
    }
}

impl Layer {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "tcp",
            #[cfg(feature = "tls")]
            Self::Tls(_) => "tls",
        }
    }

    pub(crate) const fn cloak(&self) -> CloakPolicy {
        match self {
            Self::Plain { always_cloak: true } => CloakPolicy::Always,
            Self::Plain {
                always_cloak: false,
            } => CloakPolicy::MatchPeer,
            #[cfg(feature = "tls")]
            Self::Tls(_) => CloakPolicy::Never,
        }
    }

    /// The path to `address`.
    pub(crate) fn path(&self, address: SocketAddr) -> Path {
        match self {
            Self::Plain { .. } => Path::tcp(address),
            #[cfg(feature = "tls")]
            Self::Tls(_) => Path::tls(address),
        }
    }

    /// Where `path` leads, if it is of our kind.
    pub(crate) fn address(&self, path: &Path) -> Option<SocketAddr> {
        let ours = match self {
            Self::Plain { .. } => matches!(path, Path::Tcp4(_) | Path::Tcp6(_)),
            #[cfg(feature = "tls")]
            Self::Tls(_) => matches!(path, Path::Tls4(_) | Path::Tls6(_)),
        };
        path.socket_addr()
            .filter(|address| ours && address.port() != 0)
    }

    pub(crate) fn accept(&self, stream: TcpStream) -> Accepted {
        match self {
            Self::Plain { .. } => Accepted::Open(half::plain(stream)),
            #[cfg(feature = "tls")]
            Self::Tls(layer) => Accepted::Handshake(layer.accept(stream)),
        }
    }

    /// Finishes a connection that we made.
    pub(crate) async fn connect(&self, stream: TcpStream, to: SocketAddr) -> io::Result<Halves> {
        match self {
            Self::Plain { .. } => {
                let _ = to;
                Ok(half::plain(stream))
            }
            #[cfg(feature = "tls")]
            Self::Tls(layer) => layer.connect(stream, to).await,
        }
    }
}
