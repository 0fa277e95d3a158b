//! Tunnels that peers ask for.

mod bind;
mod tcp;
mod udp;

use std::net::SocketAddr;

use telehash_runtime::IncomingChannel;

use crate::destination::Destination;
use crate::handler::Sock;
use crate::policy::NoAddress;
use crate::wire::refusal;

pub(crate) use self::{bind::bind, tcp::tcp, udp::udp};

/// Where the peer may be connected to, or what it is told.
async fn addresses(
    sock: &Sock,
    channel: &IncomingChannel,
    to: &Destination,
) -> Result<Vec<SocketAddr>, &'static str> {
    let (policy, peer) = (sock.policy(), channel.peer());
    match policy.addresses(&peer, to).await {
        Ok(addresses) => Ok(addresses),
        Err(NoAddress::Denied) => {
            policy.deny(peer, to.clone(), false);
            Err(refusal::DENIED)
        }
        Err(NoAddress::NoSuchHost(error)) => {
            tracing::debug!(%to, %error, "not found");
            Err(refusal::NO_SUCH_HOST)
        }
    }
}
