//! What peers may reach through us.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use telehash_hashname::Hashname;

use crate::destination::{Destination, Host};
use crate::limits::MAX_ADDRESSES;
use crate::resolve::Resolve;
use crate::rules::{AllowRule, BindRule};

/// Whom we make tunnels for, and where to. Denies everything that no rule allows.
///
/// ```
/// use telehash_channel_sock::SockPolicy;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let policy = SockPolicy::new()
///     .allow("127.0.0.1:5432".parse()?)
///     .allow("*:443".parse()?)
///     .allow_bind("8000-8099".parse()?)
///     .on_denied(|denial| eprintln!("{} asked for {}", denial.peer, denial.destination));
/// # let _ = policy;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct SockPolicy {
    allowed: Vec<(Option<Hashname>, AllowRule)>,
    binds: Vec<(Option<Hashname>, BindRule)>,
    by_peer: Option<Arc<ByPeer>>,
    denied: Option<Arc<Told>>,
    resolve: Resolve,
}

type ByPeer = dyn Fn(&Hashname) -> SockPolicy + Send + Sync;
type Told = dyn Fn(&Denial) + Send + Sync;

/// Something that a peer asked for and did not get.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denial {
    /// Who asked.
    pub peer: Hashname,
    /// To connect there, or to listen there.
    pub destination: Destination,
    /// It wanted to listen.
    pub bind: bool,
}

/// Why there is no address to connect to.
#[derive(Debug)]
pub(crate) enum NoAddress {
    Denied,
    NoSuchHost(io::Error),
}

impl SockPolicy {
    /// Nothing is allowed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets every peer connect to this.
    #[must_use]
    pub fn allow(mut self, rule: AllowRule) -> Self {
        self.allowed.push((None, rule));
        self
    }

    /// Lets this peer connect to this.
    #[must_use]
    pub fn allow_peer(mut self, peer: Hashname, rule: AllowRule) -> Self {
        self.allowed.push((Some(peer), rule));
        self
    }

    /// Lets every peer listen on these ports.
    #[must_use]
    pub fn allow_bind(mut self, rule: BindRule) -> Self {
        self.binds.push((None, rule));
        self
    }

    /// Lets this peer listen on these ports.
    #[must_use]
    pub fn allow_peer_bind(mut self, peer: Hashname, rule: BindRule) -> Self {
        self.binds.push((Some(peer), rule));
        self
    }

    /// Adds the rules that `rules` returns for a peer. Asked for each tunnel; has to be quick.
    #[must_use]
    pub fn by_peer(mut self, rules: impl Fn(&Hashname) -> Self + Send + Sync + 'static) -> Self {
        self.by_peer = Some(Arc::new(rules));
        self
    }

    /// Calls this for whatever is denied, beside a warning in the log. Has to be quick.
    #[must_use]
    pub fn on_denied(mut self, told: impl Fn(&Denial) + Send + Sync + 'static) -> Self {
        self.denied = Some(Arc::new(told));
        self
    }

    /// Looks names up in this way, instead of by the system.
    #[must_use]
    pub fn resolver<F, Fut>(mut self, look_up: F) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        self.resolve = Resolve::by(look_up);
        self
    }

    /// Where to connect to: each address is allowed by itself, and no other may be connected to.
    /// A name that no rule could allow is not even looked up.
    pub(crate) async fn addresses(
        &self,
        peer: &Hashname,
        to: &Destination,
    ) -> Result<Vec<SocketAddr>, NoAddress> {
        let rules = self.rules(peer, |policy| &policy.allowed);
        let port = to.port();
        let (name, found) = match to.host() {
            Host::Ip(ip) => (None, vec![*ip]),
            Host::Any => return Err(NoAddress::Denied),
            Host::Name(name) => {
                if !rules.iter().any(|rule| rule.may_allow(name, port)) {
                    return Err(NoAddress::Denied);
                }
                let found = self.resolve.look_up(name).await;
                (Some(name.as_str()), found.map_err(NoAddress::NoSuchHost)?)
            }
        };
        if found.is_empty() {
            let error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            return Err(NoAddress::NoSuchHost(error));
        }
        // As IPv4 what stands for it: one address has one spelling to the rules and to us.
        let found = found.into_iter().map(|ip| ip.to_canonical());
        let allowed = found.filter(|ip| rules.iter().any(|rule| rule.allows(name, *ip, port)));
        let addresses: Vec<_> = allowed
            .take(MAX_ADDRESSES)
            .map(|ip| SocketAddr::new(ip, port))
            .collect();
        match addresses.is_empty() {
            true => Err(NoAddress::Denied),
            false => Ok(addresses),
        }
    }

    /// Where to listen.
    pub(crate) fn bind(&self, peer: &Hashname, at: &Destination) -> Option<SocketAddr> {
        let rules = self.rules(peer, |policy| &policy.binds);
        let ip = rules
            .iter()
            .find_map(|rule| rule.allows(at.host(), at.port()))?;
        Some(SocketAddr::new(ip, at.port()))
    }

    /// Tells who observes.
    pub(crate) fn deny(&self, peer: Hashname, destination: Destination, bind: bool) {
        tracing::warn!(%peer, %destination, bind, "denied a tunnel");
        if let Some(told) = &self.denied {
            told(&Denial {
                peer,
                destination,
                bind,
            });
        }
    }

    fn rules<R: Clone>(
        &self,
        peer: &Hashname,
        of: impl Fn(&Self) -> &Vec<(Option<Hashname>, R)>,
    ) -> Vec<R> {
        let own = self.by_peer.as_ref().map(|rules| rules(peer));
        let all = of(self).iter().chain(own.iter().flat_map(&of));
        let theirs = all.filter(|(whose, _)| whose.is_none_or(|whose| whose == *peer));
        theirs.map(|(_, rule)| rule.clone()).collect()
    }
}

impl fmt::Debug for SockPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SockPolicy")
            .field("allowed", &self.allowed)
            .field("binds", &self.binds)
            .field("by_peer", &self.by_peer.is_some())
            .finish_non_exhaustive()
    }
}
