//! Port mapping: asks the gateway of this host's network to pass on what comes in at a port of its
//! own, keeps that going, and takes it back (transports.md, "Port mapping").
//!
//! A gateway is asked by PCP, then NAT-PMP, then UPnP, in IPv4. Nobody else is: it is the one that the
//! default route names, and of UPnP's answers only those count that come from it and lead to it.
//! What it says is believed only as far as it has to be ([`MapError`], [`limits`]).
//!
//! ```no_run
//! use telehash_portmap::{Mapper, Port, Protocol};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let port = Port {
//!     protocol: Protocol::Udp,
//!     address: "192.168.1.7:42424".parse()?,
//! };
//! let mut mapper = Mapper::new();
//! let report = mapper.keep(&[port]).await;
//! for mapping in &report.mappings {
//!     println!("{} is {} outside, by {}", port.address, mapping.external, mapping.method);
//! }
//! // Call it again after `report.again_in`, and when the network changes.
//! mapper.release().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | default | what it adds |
//! | --- | --- | --- |
//! | `server` | no | a mapping server for tests, as good or bad as they need it |

mod ask;
mod error;
mod external;
pub mod limits;
mod mapper;
mod network;
mod pcp;
mod port;
mod probe;
mod route;
mod schedule;
#[cfg(feature = "server")]
pub mod server;
mod ssdp;
mod upnp;

pub use error::{MapError, Refusal};
pub use mapper::{Mapper, Report};
pub use port::{Gateway, Mapping, Method, Port, Protocol};
pub use probe::{Answer, Probe, probe};
