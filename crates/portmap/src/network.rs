//! Asking by the network.

use std::net::Ipv4Addr;
use std::time::Duration;

use crab_nat::pcp::Nonce;
use tokio::time::timeout;

use crate::ask::{Ask, Grant, Handle, refused};
use crate::error::Refusal;
use crate::limits::ASK_TIMEOUT;
use crate::port::{Gateway, Method, Port};
use crate::upnp::Upnp;
use crate::{pcp, route};

/// The network that this host is on.
#[derive(Debug, Default)]
pub(crate) struct Network {
    upnp: Upnp,
    /// Of all our mappings by PCP.
    nonce: Option<Nonce>,
}

impl Network {
    /// Whether the gateway speaks this, and its outer address if that is told without a mapping.
    pub(crate) async fn probe(
        &mut self,
        gateway: Gateway,
        method: Method,
    ) -> Result<Option<Ipv4Addr>, Refusal> {
        let asked = async {
            match method {
                Method::Pcp => pcp::probe(gateway).await.map(|()| None),
                Method::NatPmp => pcp::natpmp_external(gateway).await.map(Some),
                Method::Upnp => self.upnp.external(gateway).await.map(Some),
            }
        };
        in_time(method, ASK_TIMEOUT, asked).await
    }
}

impl Ask for Network {
    fn gateway(&self) -> Option<Gateway> {
        route::gateway()
    }

    async fn map(
        &mut self,
        gateway: Gateway,
        method: Method,
        port: Port,
        last: Option<Grant>,
    ) -> Result<Grant, Refusal> {
        let asked = async {
            match method {
                Method::Pcp => {
                    let nonce = match self.nonce {
                        Some(nonce) => nonce,
                        None => *self.nonce.insert(pcp::fresh_nonce()?),
                    };
                    pcp::map(gateway, port, last, nonce).await
                }
                Method::NatPmp => pcp::natpmp_map(gateway, port, last).await,
                Method::Upnp => self.upnp.map(gateway, port, last).await,
            }
        };
        in_time(method, ASK_TIMEOUT, asked).await
    }

    async fn unmap(&mut self, gateway: Gateway, port: Port, grant: Grant) -> Result<(), Refusal> {
        let asked = async {
            match grant.handle {
                Handle::Pcp { nonce, .. } => pcp::unmap(gateway, port, nonce).await,
                Handle::NatPmp => pcp::natpmp_unmap(gateway, port).await,
                Handle::Upnp => self.upnp.unmap(gateway, port, grant.external.port()).await,
            }
        };
        in_time(grant.handle.method(), ASK_TIMEOUT, asked).await
    }
}

async fn in_time<T>(
    method: Method,
    limit: Duration,
    asked: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    match timeout(limit, asked).await {
        Ok(answer) => answer,
        Err(late) => Err(refused(method)(late)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_takes_for_ever_has_failed_in_time() {
        let start = tokio::time::Instant::now();
        let never = std::future::pending::<Result<(), Refusal>>();
        let refused = in_time(Method::Upnp, ASK_TIMEOUT, never).await;
        assert_eq!(refused.unwrap_err().method, Method::Upnp);
        assert!(start.elapsed().abs_diff(ASK_TIMEOUT) < Duration::from_millis(10));
    }
}
