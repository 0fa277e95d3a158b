//! Looking up, in the order that the protocol says.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use crate::net;
use crate::{Found, LookUpError, NotFound, Place, Source};

/// How long each of the look-ups may take. Limit: then it has failed, and the next one follows.
pub const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks the network whose a [`Place`] is: WebFinger, then DNS, then the keys of its OpenID provider, as
/// far as they are enabled.
///
/// Nothing is kept between two look-ups, no cookie, no connection, no answer, and the system's name
/// servers and certificates are read anew for each, so that one of these can be kept for long.
#[derive(Clone, Debug)]
pub struct LookUps {
    timeout: Duration,
    #[cfg(feature = "dns")]
    pub(crate) name_servers: Vec<SocketAddr>,
    #[cfg(feature = "https")]
    pub(crate) roots: Vec<Vec<u8>>,
    #[cfg(feature = "https")]
    pub(crate) connect_to: Vec<(String, SocketAddr)>,
}

impl LookUps {
    /// With the name servers, the certificates and the routes that the system has.
    #[must_use]
    pub fn new() -> Self {
        Self {
            timeout: LOOK_UP_TIMEOUT,
            #[cfg(feature = "dns")]
            name_servers: Vec::new(),
            #[cfg(feature = "https")]
            roots: Vec::new(),
            #[cfg(feature = "https")]
            connect_to: Vec::new(),
        }
    }

    /// Allows each look-up that much time, and not [`LOOK_UP_TIMEOUT`].
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks these name servers, over UDP and TCP, in place of the system's; also for the addresses of
    /// web servers.
    #[cfg(feature = "dns")]
    #[must_use]
    pub fn name_servers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.name_servers = servers.into_iter().collect();
        self
    }

    /// Trusts this certificate authority, too, beside those of the system: one certificate in DER.
    #[cfg(feature = "https")]
    #[must_use]
    pub fn root_certificate(mut self, der: Vec<u8>) -> Self {
        self.roots.push(der);
        self
    }

    /// Connects to this address where a document is on `host`, whose certificate has to fit all the
    /// same.
    #[cfg(feature = "https")]
    #[must_use]
    pub fn connect_to(mut self, host: impl Into<String>, address: SocketAddr) -> Self {
        self.connect_to.push((host.into(), address));
        self
    }

    /// Who is there. Takes at most the time allowed, once for each look-up that is enabled.
    ///
    /// Keys that are found make the hashname that comes with them; if the place says whom to expect, they
    /// are that endpoint's. If it does not, then whoever can answer for the domain, in DNS or with a
    /// certificate, decides whose keys they are.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    ///
    /// Nobody, with the reason of each look-up; see [`NotFound`].
    pub async fn find(&self, place: &Place) -> Result<Found, NotFound> {
        let mut asked = Asked {
            place,
            timeout: self.timeout,
            reasons: Vec::new(),
        };
        #[cfg(feature = "webfinger")]
        if let Some(found) = asked
            .of(Source::WebFinger, net::webfinger::find(self, place))
            .await
        {
            return Ok(found);
        }
        #[cfg(feature = "dns")]
        if let Some(found) = asked.of(Source::Dns, net::dns::find(self, place)).await {
            return Ok(found);
        }
        #[cfg(feature = "jwks")]
        if let Some(found) = asked.of(Source::Jwks, net::jwks::find(self, place)).await {
            return Ok(found);
        }
        Err(NotFound {
            place: place.clone(),
            reasons: asked.reasons,
        })
    }
}

/// Who was asked already.
struct Asked<'a> {
    place: &'a Place,
    timeout: Duration,
    reasons: Vec<(Source, LookUpError)>,
}

impl Asked<'_> {
    /// What this source says within the time allowed.
    async fn of(
        &mut self,
        source: Source,
        find: impl Future<Output = Result<Found, LookUpError>>,
    ) -> Option<Found> {
        let place = self.place;
        let result = match tokio::time::timeout(self.timeout, find).await {
            Ok(result) => result,
            Err(_) => Err(LookUpError::TimedOut(self.timeout)),
        };
        match result {
            Ok(found) => {
                let hashname = found.link.hashname;
                tracing::debug!(%place, %source, peer = %hashname.short(), "found");
                Some(found)
            }
            Err(error) => {
                tracing::debug!(%place, %source, %error, "not found");
                self.reasons.push((source, error));
                None
            }
        }
    }
}

impl Default for LookUps {
    fn default() -> Self {
        Self::new()
    }
}
