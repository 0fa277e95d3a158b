//! Asking a gateway: the seam between what is decided and what is sent.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddrV4};
use std::time::Duration;

use crab_nat::pcp::Nonce;

use crate::error::Refusal;
use crate::port::{Gateway, Method, Port};

/// What a gateway granted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Grant {
    pub(crate) external: SocketAddrV4,
    pub(crate) lifetime: Duration,
    pub(crate) handle: Handle,
}

/// What it takes to renew it, or to take it back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Handle {
    Pcp { nonce: Nonce, external: IpAddr },
    NatPmp,
    Upnp,
}

impl Handle {
    pub(crate) fn method(self) -> Method {
        match self {
            Self::Pcp { .. } => Method::Pcp,
            Self::NatPmp => Method::NatPmp,
            Self::Upnp => Method::Upnp,
        }
    }
}

/// Whoever can be asked.
pub(crate) trait Ask: Send {
    /// The way out now.
    fn gateway(&self) -> Option<Gateway>;

    /// Asks to map a port, or to go on with what was granted last.
    fn map(
        &mut self,
        gateway: Gateway,
        method: Method,
        port: Port,
        last: Option<Grant>,
    ) -> impl Future<Output = Result<Grant, Refusal>> + Send;

    /// Gives a mapping back.
    fn unmap(
        &mut self,
        gateway: Gateway,
        port: Port,
        grant: Grant,
    ) -> impl Future<Output = Result<(), Refusal>> + Send;
}

/// Makes refusals of errors.
pub(crate) fn refused<E: fmt::Display>(method: Method) -> impl Fn(E) -> Refusal {
    move |error| Refusal::new(method, error)
}
